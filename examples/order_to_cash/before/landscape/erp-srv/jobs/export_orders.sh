#!/bin/bash
# New orders to the warehouse. One file an order, as Lager Nord wants it: H, the lines, E with their number.
cd "$(dirname "$0")" || exit 1
. ./erp.env
WORK=../work/export
mkdir -p $WORK
rm -f $WORK/*

psql -At -F '|' > $WORK/todo.txt <<EOF || exit 1
WITH offen AS (
  SELECT a.auftrag_nr, a.kd_nr, a.land FROM ws_auftrag a
  WHERE a.versand = 'N' AND a.art = 'V' AND a.status = 'NEU'
    AND EXISTS (SELECT 1 FROM ws_position p JOIN artikel t ON t.art_nr = p.art_nr
                WHERE p.auftrag_nr = a.auftrag_nr AND t.art_typ = 1))
SELECT auftrag_nr, zeile FROM (
  SELECT o.auftrag_nr, 0 AS teil, 0 AS pos, 'H,' || o.auftrag_nr || ',' || o.kd_nr || ',' || o.land AS zeile FROM offen o
  UNION ALL
  SELECT p.auftrag_nr, 1, p.pos, 'L,' || p.pos || ',' || p.art_nr || ',' || p.menge
  FROM offen o JOIN ws_position p ON p.auftrag_nr = o.auftrag_nr JOIN artikel t ON t.art_nr = p.art_nr
  WHERE t.art_typ = 1
  UNION ALL
  SELECT p.auftrag_nr, 2, 0, 'E,' || count(*)
  FROM offen o JOIN ws_position p ON p.auftrag_nr = o.auftrag_nr JOIN artikel t ON t.art_nr = p.art_nr
  WHERE t.art_typ = 1 GROUP BY p.auftrag_nr) z
ORDER BY auftrag_nr, teil, pos
EOF
[ -s $WORK/todo.txt ] || exit 0

awk -F'|' -v dir=$WORK '{ file = dir "/" $1 ".csv"; print $2 >> file; close(file) }' $WORK/todo.txt
for f in $WORK/*.csv; do
  nr=$(basename $f .csv)
  echo "put $f in/$nr.part" >> $WORK/batch
  echo "rename in/$nr.part in/$nr.csv" >> $WORK/batch
  echo "UPDATE ws_auftrag SET versand = 'J' WHERE auftrag_nr = '$nr';" >> $WORK/done.sql
done
sftp -q -b $WORK/batch $WAREHOUSE || { echo "$(date '+%F %T') ERROR upload to $WAREHOUSE broken off, next run sends all again"; exit 1; }
psql -q -f $WORK/done.sql
echo "$(date '+%F %T') $(ls $WORK/*.csv | wc -l) orders sent"
