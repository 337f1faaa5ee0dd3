#!/bin/bash
# On the first: the CSVs of the month that ended, and for twenty of its orders what billing says of them.
cd "$(dirname "$0")" || exit 1
mkdir -p ../work
rm -f ../work/*
MONTH=$(date -d 'yesterday' +%Y%m)
sftp -q -b - controlling@files.acme.intern <<EOF || exit 1
lcd ../work
get finance/orders-$MONTH*.csv
EOF
grep -hv '^auftrag_nr' ../work/orders-$MONTH*.csv | sort | tail -20 | cut -d, -f1 | while read -r nr; do
  cat > ../work/ask.xml <<EOF
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:b="urn:finance:billing:1"><soapenv:Body>
<b:FindInvoiceByReference><Reference>$nr</Reference></b:FindInvoiceByReference></soapenv:Body></soapenv:Envelope>
EOF
  curl -s -u controlling:Abschluss -H 'Content-Type: text/xml' -H 'SOAPAction: urn:finance:billing:1/FindInvoiceByReference' \
    -d @../work/ask.xml http://billing.acme.intern/soap | grep -q '<Number>' || echo "$nr has no invoice"
done > ../work/missing.txt
echo "$(date '+%F %T') month $MONTH: $(wc -l < ../work/missing.txt) of 20 without invoice"
