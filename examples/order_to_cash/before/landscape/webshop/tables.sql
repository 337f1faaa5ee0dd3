-- The shop's tables in the ERP's database, since 2008: "only until the ERP has an interface".
CREATE TABLE ws_auftrag (
  auftrag_nr varchar(40) PRIMARY KEY, art char(1) NOT NULL, kd_nr integer NOT NULL, land varchar(40) NOT NULL, bestellt timestamp NOT NULL,
  betrag numeric(12,2) NOT NULL, status varchar(10) NOT NULL DEFAULT 'NEU', versand char(1) NOT NULL DEFAULT 'N',
  rechnung char(1) NOT NULL DEFAULT 'N', rechnung_am timestamp, zahlung char(1) NOT NULL DEFAULT 'N',
  geliefert integer NOT NULL DEFAULT 0, geliefert_am timestamp);
CREATE TABLE ws_position (
  auftrag_nr varchar(40) NOT NULL REFERENCES ws_auftrag, pos integer NOT NULL, art_nr varchar(20) NOT NULL, bez varchar(60) NOT NULL,
  menge integer NOT NULL, preis numeric(12,4) NOT NULL, PRIMARY KEY (auftrag_nr, pos));
