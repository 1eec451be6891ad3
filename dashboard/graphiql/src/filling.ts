/** The tour's ids: step 2's answer fills them in under Variables in steps 3 and 4. */

import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useSyncExternalStore } from "react";
import { MEMBER_GAP, ROLES_GAP } from "./tour";
import type { Answer } from "./wire";

interface Role {
  id: string;
  key: string;
  name: string;
}

interface Member {
  id: string;
  email: string;
  name?: string | null;
  status?: string;
  isOwner: boolean;
  roles: { key: string }[];
}

interface Known {
  roles: Role[];
  members: Member[];
}

let known: Known | null = null;
/** What was filled in, and the text with the gaps that it came from: a newer answer fills anew. */
const filled = new Map<string, string>();
const listeners = new Set<() => void>();

/** Takes the ids from an answer that has them; any other is passed over. */
export function learn(answer: Answer): void {
  const tenant = answer.data?.["tenant"] as { roles?: { nodes?: Role[] }; members?: { nodes?: Member[] } } | null;
  const [roles, members] = [tenant?.roles?.nodes, tenant?.members?.nodes];
  if (!roles?.every((role) => role.id && role.key)) return;
  if (!members?.every((member) => member.id && member.email && member.roles)) return;
  known = { roles, members };
  listeners.forEach((listener) => listener());
}

/** Fills the gaps of the tab that is open, as soon as the ids are known. */
export function useFilledVariables(): void {
  const ids = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => known,
  );
  const { activeTabIndex, variableEditor } = useGraphiQL(pick("activeTabIndex", "variableEditor"));
  useEffect(() => {
    const text = variableEditor?.getValue() ?? "";
    const template = filled.get(text) ?? text;
    const full = ids ? fill(template, ids) : template;
    if (full === text || full === template) return;
    filled.set(full, template);
    variableEditor?.setValue(full);
  }, [ids, activeTabIndex, variableEditor]);
}

/** To invite: the smallest role. To change: the last who is no owner, and the smallest role they do not hold. */
function fill(template: string, { roles, members }: Known): string {
  const smallest = roles.at(-1);
  const member = members.filter((one) => !one.isOwner && one.status !== "INVITED").at(-1);
  const held = new Set(member?.roles.map((role) => role.key));
  const role = template.includes(MEMBER_GAP) ? roles.filter((one) => !held.has(one.key)).at(-1) : smallest;
  return template
    .split("\n")
    .map((line) => {
      if (role) line = put(line, ROLES_GAP, role.id, role.name);
      return member ? put(line, MEMBER_GAP, member.id, member.name ?? member.email) : line;
    })
    .join("\n");
}

/** The id in place of the gap, and whose it is in a comment at the line's end. */
function put(line: string, gap: string, id: string, whose: string): string {
  return line.includes(gap) ? `${line.replace(gap, id)} // ${whose.replaceAll(/\s+/g, " ")}` : line;
}
