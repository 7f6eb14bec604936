"""One agent, one session, one answer, with the official SDK (pip install anthropic).

Nothing here knows Longhand: the SDK takes ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY from the environment, and without the
first of them this program talks to the hosted API.
"""

import json
import sys
import time

from anthropic import Anthropic

client = Anthropic()

agent = client.beta.agents.create(
    name="Assistant",
    model="claude-opus-5-5",
    system="You are a careful assistant with a Linux sandbox.",
    tools=[{"type": "agent_toolset_20260401"}],
)
environment = client.beta.environments.create(name=f"quickstart {time.time_ns()}")
session = client.beta.sessions.create(agent=agent.id, environment_id=environment.id)

task = sys.argv[1] if len(sys.argv) > 1 else "Which files are in /etc, and how many?"

# The stream is live only, so it is opened before anything is said.
with client.beta.sessions.events.stream(session.id) as stream:
    client.beta.sessions.events.send(
        session.id,
        events=[{"type": "user.message", "content": [{"type": "text", "text": task}]}],
    )
    for event in stream:
        if event.type == "agent.message":
            print("".join(block.text for block in event.content if block.type == "text"))
        elif event.type == "agent.tool_use":
            print(f"[{event.name}] {json.dumps(event.input)}")
        elif event.type == "session.error":
            print(event.error.message, file=sys.stderr)
        elif event.type == "session.status_idle" and event.stop_reason.type != "requires_action":
            break  # idle with requires_action is not the end: a call asks for an answer
        elif event.type == "session.status_terminated":
            break
