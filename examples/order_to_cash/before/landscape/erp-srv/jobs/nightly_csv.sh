#!/bin/bash
# The day's orders as a CSV for finance, who load it into their spreadsheet.
cd "$(dirname "$0")" || exit 1
. ./erp.env
DAY=$(date +%Y%m%d)
mkdir -p ../work
psql -q -c "\copy (SELECT auftrag_nr, kd_nr, land, bestellt, betrag, rechnung, zahlung FROM ws_auftrag WHERE bestellt::date = '$(date +%F)' ORDER BY 1) TO '../work/orders-$DAY.csv' CSV HEADER" || exit 1
sftp -q -b - $FINANCE <<EOF
put ../work/orders-$DAY.csv finance/orders-$DAY.csv
EOF
