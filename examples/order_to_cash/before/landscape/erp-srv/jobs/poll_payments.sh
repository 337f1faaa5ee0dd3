#!/bin/bash
# What was paid since the last time: into the ledger of the ERP. state/booked.txt remembers what is booked.
cd "$(dirname "$0")" || exit 1
. ./erp.env
WORK=../work/payments
STATE=../state
mkdir -p $WORK $STATE
rm -f $WORK/*
touch $STATE/booked.txt

curl -s -f -m 60 -A poll-payments -o $WORK/all.json $PAYMENTS_URL/payment-requests || { echo "$(date '+%F %T') ERROR payments does not answer"; exit 1; }
tr '{' '\n' < $WORK/all.json | grep '"status": "paid"' |
  sed 's/.*"reference": "\([^"]*\)", "customer": "\([^"]*\)", "amount": "\([^"]*\)".*/\1 \2 \3/' |
  sort | join -v 1 - $STATE/booked.txt > $WORK/new.txt
[ -s $WORK/new.txt ] || exit 0

while read -r nr account amount; do
  echo "INSERT INTO buchung (kd_nr, beleg, sh_kz, betrag) VALUES ($account, '$nr', 'H', $amount);"
done < $WORK/new.txt > $WORK/new.sql
psql -q -1 -f $WORK/new.sql || { echo "$(date '+%F %T') ERROR not booked, next run books again"; exit 1; }
cut -d' ' -f1 $WORK/new.txt | sort -o $STATE/booked.txt - $STATE/booked.txt
echo "$(date '+%F %T') $(wc -l < $WORK/new.txt) payments booked"
