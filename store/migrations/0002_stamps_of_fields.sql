ALTER TABLE "sessions" ADD COLUMN "title_seq" bigint DEFAULT -1 NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "metadata_seq" bigint DEFAULT -1 NOT NULL;