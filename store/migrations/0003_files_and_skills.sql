CREATE TABLE "files" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"session_id" text,
	"origin" text NOT NULL,
	"filename" text NOT NULL,
	"mime_type" text NOT NULL,
	"bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"area" text NOT NULL,
	"downloadable" boolean NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"removed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "session_resources" (
	"id" text PRIMARY KEY NOT NULL,
	"session_id" text NOT NULL,
	"file_id" text NOT NULL,
	"mount_path" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "skill_versions" (
	"id" text PRIMARY KEY NOT NULL,
	"skill_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"name" text NOT NULL,
	"description" text NOT NULL,
	"files" json NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "skills" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"name" text NOT NULL,
	"display_name" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "session_agents" ADD COLUMN "skills" json;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "inputs_rev" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "inputs_told" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "files_list" ON "files" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "files_session" ON "files" USING btree ("session_id","created_at","id");--> statement-breakpoint
CREATE INDEX "files_blob" ON "files" USING btree ("area","sha256");--> statement-breakpoint
CREATE INDEX "session_resources_list" ON "session_resources" USING btree ("session_id","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "session_resources_path" ON "session_resources" USING btree ("session_id","mount_path");--> statement-breakpoint
CREATE INDEX "skill_versions_list" ON "skill_versions" USING btree ("skill_id","created_at","id");--> statement-breakpoint
CREATE INDEX "skills_list" ON "skills" USING btree ("workspace_id","created_at","id");