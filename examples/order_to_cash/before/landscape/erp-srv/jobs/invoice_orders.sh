#!/bin/bash
# Invoices and credit notes: every order of this month that has none. (2009-03 mk; 2010-01 jh: retry, after the time-outs)
cd "$(dirname "$0")" || exit 1
. ./erp.env
MONTH=$(date +%Y-%m)
WORK=../work/invoices
mkdir -p $WORK
rm -f $WORK/*

psql -At -F '|' -c "
  SELECT a.auftrag_nr, CASE a.art WHEN 'V' THEN 'CreateInvoice' ELSE 'CreditNote' END, a.kd_nr,
         string_agg('<Line><Product>' || p.art_nr || '</Product><Text>'
                    || replace(replace(replace(p.bez, '&', '&amp;'), '<', '&lt;'), '|', ' ')
                    || '</Text><Quantity>' || abs(p.menge) || '</Quantity><Price>' || p.preis || '</Price></Line>', '' ORDER BY p.pos)
    FROM ws_auftrag a JOIN ws_position p ON p.auftrag_nr = a.auftrag_nr
   WHERE a.rechnung = 'N' AND a.status = 'NEU' AND to_char(a.bestellt, 'YYYY-MM') = '$MONTH'
   GROUP BY a.auftrag_nr, a.art, a.kd_nr ORDER BY a.auftrag_nr" > $WORK/todo.txt || exit 1

while IFS='|' read -r nr kind account lines; do
  cat > $WORK/$nr.xml <<EOF
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:b="urn:finance:billing:1"><soapenv:Body>
<b:$kind><Reference>$nr</Reference><Account>$account</Account><Currency>GBP</Currency><Lines>$lines</Lines></b:$kind>
</soapenv:Body></soapenv:Envelope>
EOF
  if curl -s -f -m 60 --retry 1 -u $BILLING_USER:$BILLING_PASSWORD -H 'Content-Type: text/xml' \
       -H "SOAPAction: urn:finance:billing:1/$kind" -d @$WORK/$nr.xml -o $WORK/$nr.answer.xml $BILLING_URL; then
    echo "UPDATE ws_auftrag SET rechnung = 'J', rechnung_am = '$(date '+%F %T')' WHERE auftrag_nr = '$nr';" >> $WORK/done.sql
  else
    echo "$(date '+%F %T') ERROR $nr not invoiced, next run tries again"
  fi
done < $WORK/todo.txt
[ -e $WORK/done.sql ] && psql -q -f $WORK/done.sql
echo "$(date '+%F %T') $(wc -l < $WORK/todo.txt) orders looked at"
