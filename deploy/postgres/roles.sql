-- Run once by psql, as the superuser of a new PostgreSQL server: a role for each, which sees its own databases only.
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv longhand_password LONGHAND_DB_PASSWORD

create role temporal login password :'temporal_password';
create role longhand_app login password :'longhand_password';

create database temporal owner temporal;
create database temporal_visibility owner temporal;
create database longhand_app owner longhand_app;

revoke connect, temporary on database temporal, temporal_visibility, longhand_app from public;
