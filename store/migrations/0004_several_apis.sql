ALTER TABLE "idempotency" ADD COLUMN "holder" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "accepted_seq" bigint DEFAULT -1 NOT NULL;