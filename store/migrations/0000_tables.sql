CREATE TABLE "agent_versions" (
	"agent_id" text NOT NULL,
	"version" integer NOT NULL,
	"workspace_id" text NOT NULL,
	"body" json NOT NULL,
	CONSTRAINT "agent_versions_agent_id_version_pk" PRIMARY KEY("agent_id","version")
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"version" integer NOT NULL,
	"body" json NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"archived_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"name" text NOT NULL,
	"hint" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "environments" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"body" json NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"archived_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "idempotency" (
	"workspace_id" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"request_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"status" integer,
	"body" text,
	"delivered_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_workspace_id_key_pk" PRIMARY KEY("workspace_id","key")
);
--> statement-breakpoint
CREATE TABLE "log_entries" (
	"session_id" text NOT NULL,
	"thread" text NOT NULL,
	"seq" bigint NOT NULL,
	"run_id" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"body" text NOT NULL,
	"type" text,
	"event_id" text,
	"of_seq" bigint,
	"processed_at" timestamp (3) with time zone,
	CONSTRAINT "log_entries_session_id_thread_seq_pk" PRIMARY KEY("session_id","thread","seq")
);
--> statement-breakpoint
CREATE TABLE "log_heads" (
	"session_id" text NOT NULL,
	"thread" text NOT NULL,
	"head" bigint NOT NULL,
	CONSTRAINT "log_heads_session_id_thread_pk" PRIMARY KEY("session_id","thread")
);
--> statement-breakpoint
CREATE TABLE "segments" (
	"session_id" text NOT NULL,
	"thread" text NOT NULL,
	"from_seq" bigint NOT NULL,
	"to_seq" bigint NOT NULL,
	"run_id" text NOT NULL,
	"sha256" text NOT NULL,
	"bytes" bigint NOT NULL,
	CONSTRAINT "segments_session_id_thread_from_seq_pk" PRIMARY KEY("session_id","thread","from_seq")
);
--> statement-breakpoint
CREATE TABLE "session_agents" (
	"session_id" text NOT NULL,
	"rev" integer NOT NULL,
	"body" json NOT NULL,
	CONSTRAINT "session_agents_session_id_rev_pk" PRIMARY KEY("session_id","rev")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"thread" text NOT NULL,
	"phase" text NOT NULL,
	"status" text NOT NULL,
	"row_seq" bigint NOT NULL,
	"title" text,
	"metadata" json NOT NULL,
	"agent_id" text NOT NULL,
	"agent_version" integer NOT NULL,
	"agent_rev" integer NOT NULL,
	"environment_id" text NOT NULL,
	"deployment_id" text,
	"usage" json NOT NULL,
	"stats" json NOT NULL,
	"running_since" timestamp (3) with time zone,
	"start_input" json,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"archived_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "agents_list" ON "agents" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_hash" ON "api_keys" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "environments_list" ON "environments" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "idempotency_fingerprint" ON "idempotency" USING btree ("workspace_id","fingerprint","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "idempotency_request" ON "idempotency" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "idempotency_age" ON "idempotency" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "log_entries_event" ON "log_entries" USING btree ("session_id","event_id");--> statement-breakpoint
CREATE INDEX "log_entries_of" ON "log_entries" USING btree ("session_id","thread","of_seq");--> statement-breakpoint
CREATE INDEX "sessions_list" ON "sessions" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_environment" ON "sessions" USING btree ("environment_id");--> statement-breakpoint
CREATE INDEX "sessions_agent" ON "sessions" USING btree ("agent_id");