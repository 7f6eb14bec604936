#!/bin/sh
# Sets up the Temporal server's two databases, or brings them up to date. Run it before a new server version starts; a
# second run changes nothing. Where the databases are: SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD.
set -eu
for part in temporal visibility; do
  database=temporal
  [ "$part" = temporal ] || database="temporal_$part"
  temporal-sql-tool --db "$database" setup-schema -v 0.0
  temporal-sql-tool --db "$database" update-schema --schema-name "postgresql/v12/$part"
done
