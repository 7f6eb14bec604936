#!/bin/sh
# Makes and updates the tables of a Temporal server in PostgreSQL. Safe to repeat.
# Reads POSTGRES_SEEDS (host), DB_PORT, POSTGRES_USER and SQL_PASSWORD, as the server and its tools do.
set -eu

for name in temporal temporal_visibility; do
  schema=postgresql/v12/${name#temporal_}
  tool() {
    temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "${DB_PORT:-5432}" -u "$POSTGRES_USER" --db "$name" "$@"
  }
  # An update fails on a database that is not there or has no version yet: a first start.
  if ! tool update-schema --schema-name "$schema" 2>/dev/null; then
    tool create
    tool setup-schema -v 0.0
    tool update-schema --schema-name "$schema"
  fi
  echo "$name: tables are up to date"
done
