-- Schema of the old ERP, as it grew since 1996. Codes: status_cd 1 offen, 2 freigegeben, 3 verbraucht;
-- art_typ 1 Ware, 2 Gebuehr; flags J/N.
CREATE TABLE land (land_kz smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, land_bez varchar(40) NOT NULL UNIQUE);
CREATE TABLE kunde (
  kd_nr integer PRIMARY KEY, kd_name varchar(60) NOT NULL, sperr_kz char(1) NOT NULL DEFAULT 'N' CHECK (sperr_kz IN ('J','N')));
CREATE TABLE kunde_adr (
  kd_nr integer NOT NULL REFERENCES kunde, adr_art char(1) NOT NULL CHECK (adr_art IN ('R','L')),
  land_kz smallint NOT NULL REFERENCES land, PRIMARY KEY (kd_nr, adr_art));
CREATE TABLE artikel (art_nr varchar(20) PRIMARY KEY, art_typ smallint NOT NULL CHECK (art_typ IN (1,2)));
CREATE TABLE artikel_bez (
  art_nr varchar(20) NOT NULL REFERENCES artikel, lfd_nr smallint NOT NULL, bez varchar(60) NOT NULL, PRIMARY KEY (art_nr, lfd_nr));
CREATE TABLE preisliste (
  pl_cd smallint NOT NULL, art_nr varchar(20) NOT NULL REFERENCES artikel, preis numeric(12,4) NOT NULL CHECK (preis >= 0),
  PRIMARY KEY (pl_cd, art_nr));
CREATE TABLE lagerort (lager_cd smallint PRIMARY KEY, lager_bez varchar(40) NOT NULL);
CREATE TABLE bestand (
  art_nr varchar(20) NOT NULL REFERENCES artikel, lager_cd smallint NOT NULL REFERENCES lagerort,
  menge integer NOT NULL, reserviert integer NOT NULL DEFAULT 0,
  PRIMARY KEY (art_nr, lager_cd), CONSTRAINT bestand_reicht CHECK (reserviert BETWEEN 0 AND menge));
CREATE TABLE reservierung (
  res_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, auftrag_nr varchar(40) NOT NULL, art_nr varchar(20) NOT NULL,
  lager_cd smallint NOT NULL, menge integer NOT NULL CHECK (menge > 0),
  status_cd smallint NOT NULL DEFAULT 1 CHECK (status_cd IN (1,2,3)), FOREIGN KEY (art_nr, lager_cd) REFERENCES bestand);
CREATE INDEX ON reservierung (auftrag_nr);
CREATE TABLE kreditkonto (kd_nr integer PRIMARY KEY REFERENCES kunde, limit_betr numeric(12,2) NOT NULL CHECK (limit_betr >= 0));
CREATE TABLE kreditvormerk (
  kv_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kd_nr integer NOT NULL REFERENCES kreditkonto,
  betrag numeric(12,2) NOT NULL CHECK (betrag > 0), auftrag_nr varchar(40) NOT NULL,
  status_cd smallint NOT NULL DEFAULT 1 CHECK (status_cd IN (1,2,3)));
CREATE INDEX ON kreditvormerk (kd_nr) WHERE status_cd = 1;
CREATE INDEX ON kreditvormerk (auftrag_nr);
CREATE TABLE buchung (
  bu_nr bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kd_nr integer NOT NULL REFERENCES kunde,
  beleg varchar(40) NOT NULL, sh_kz char(1) NOT NULL CHECK (sh_kz IN ('S','H')), betrag numeric(12,2) NOT NULL CHECK (betrag > 0),
  bu_dat timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON buchung (beleg);

CREATE FUNCTION kv_pruefen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE frei numeric;
BEGIN
  -- The lock makes two orders of one customer wait for each other; without it both would see the same free credit.
  SELECT limit_betr INTO frei FROM kreditkonto WHERE kd_nr = NEW.kd_nr FOR UPDATE;
  IF (SELECT sperr_kz FROM kunde WHERE kd_nr = NEW.kd_nr) = 'J' THEN
    RAISE EXCEPTION 'Kunde % ist gesperrt', NEW.kd_nr USING ERRCODE = 'KD001';
  END IF;
  frei := frei - coalesce((SELECT sum(betrag) FROM kreditvormerk WHERE kd_nr = NEW.kd_nr AND status_cd = 1), 0);
  IF NEW.betrag > frei THEN
    RAISE EXCEPTION 'Kreditlimit ueberschritten, frei sind %', frei USING ERRCODE = 'KD002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER kv_pruefen BEFORE INSERT ON kreditvormerk FOR EACH ROW EXECUTE FUNCTION kv_pruefen();

CREATE FUNCTION res_buchen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    UPDATE bestand SET reserviert = reserviert + NEW.menge WHERE art_nr = NEW.art_nr AND lager_cd = NEW.lager_cd;
  ELSIF OLD.status_cd = 1 AND NEW.status_cd <> 1 THEN
    UPDATE bestand SET reserviert = reserviert - OLD.menge, menge = menge - CASE NEW.status_cd WHEN 3 THEN OLD.menge ELSE 0 END
      WHERE art_nr = OLD.art_nr AND lager_cd = OLD.lager_cd;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER res_buchen BEFORE INSERT OR UPDATE ON reservierung FOR EACH ROW EXECUTE FUNCTION res_buchen();

CREATE FUNCTION status_endgueltig() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status_cd <> 1 AND NEW.status_cd <> OLD.status_cd THEN
    RAISE EXCEPTION 'Status % ist endgueltig', OLD.status_cd USING ERRCODE = 'KD003';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_endgueltig BEFORE UPDATE ON reservierung FOR EACH ROW EXECUTE FUNCTION status_endgueltig();
CREATE TRIGGER a_endgueltig BEFORE UPDATE ON kreditvormerk FOR EACH ROW EXECUTE FUNCTION status_endgueltig();

CREATE FUNCTION bu_unveraenderlich() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'Buchungen werden storniert, nicht geaendert' USING ERRCODE = 'KD004'; END $$;
CREATE TRIGGER bu_unveraenderlich BEFORE UPDATE OR DELETE ON buchung FOR EACH ROW EXECUTE FUNCTION bu_unveraenderlich();
