#!/bin/bash
# Asks the customers for their money: one payment request for each invoiced order.
cd "$(dirname "$0")" || exit 1
. ./erp.env
WORK=../work/requests
mkdir -p $WORK
rm -f $WORK/*

psql -At -F ' ' -c "SELECT auftrag_nr, kd_nr, betrag FROM ws_auftrag WHERE rechnung = 'J' AND zahlung = 'N' AND art = 'V'" |
while read -r nr account amount; do
  if curl -s -f -m 60 --retry 1 -A request-payments -H 'Content-Type: application/json' -o /dev/null \
       -d "{\"reference\": \"$nr\", \"customer\": \"$account\", \"amount\": \"$amount\"}" $PAYMENTS_URL/payment-requests; then
    echo "UPDATE ws_auftrag SET zahlung = 'A' WHERE auftrag_nr = '$nr';" >> $WORK/done.sql
  else
    echo "$(date '+%F %T') ERROR no payment request for $nr"
  fi
done
[ -e $WORK/done.sql ] && psql -q -f $WORK/done.sql
exit 0
