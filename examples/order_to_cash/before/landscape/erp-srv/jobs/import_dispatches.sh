#!/bin/bash
# Dispatch files from the warehouse: fetched, taken away there, booked.
cd "$(dirname "$0")" || exit 1
. ./erp.env
WORK=../work/dispatch
mkdir -p $WORK
rm -f $WORK/*          # else the files of the last run are booked again (2006-11, mk)

sftp -q -b - $WAREHOUSE <<EOF || exit 1
lcd $WORK
-get out/D-*.csv
-rm out/D-*.csv
EOF

for f in $WORK/D-*.csv; do
  [ -e "$f" ] || exit 0
  nr=$(sed -n '1s/^H,[^,]*,\([^,]*\),.*/\1/p' $f)
  n=$(grep -c '^L,' $f)
  psql -q -1 -c "UPDATE ws_auftrag SET geliefert = geliefert + $n, geliefert_am = '$(date '+%F %T')' WHERE auftrag_nr = '$nr'" \
    -c "UPDATE reservierung SET status_cd = 3 WHERE auftrag_nr = '$nr' AND status_cd = 1" \
    || { echo "$(date '+%F %T') ERROR $f: not booked"; exit 1; }
done
echo "$(date '+%F %T') $(ls $WORK | wc -l) dispatches booked"
