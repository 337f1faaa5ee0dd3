#!/bin/bash
# Straight out of the ERP's tables, as the consultants left it (2007).
DAY=$(date +%F)
export PGPASSWORD=dwh
psql -h erp-db.acme.intern -d erp -U postgres -q -c "\copy (SELECT a.auftrag_nr, a.kd_nr, l.land_bez, p.art_nr, p.menge, p.preis, a.bestellt FROM ws_auftrag a JOIN ws_position p USING (auftrag_nr) LEFT JOIN kunde_adr k ON k.kd_nr = a.kd_nr AND k.adr_art = 'R' LEFT JOIN land l ON l.land_kz = k.land_kz WHERE a.bestellt::date = '$DAY') TO STDOUT" \
  | psql -h dwh-db.acme.intern -d dwh -U postgres -q -c "\copy sales FROM STDIN"
