/** Who is signed in. The access token lives in this module's memory and goes nowhere else. */

import { useSyncExternalStore } from "react";
import { signInAtProvider, SignInStopped, type SignInMethod } from "./provider";
import { send, type Answer, type Operation } from "./wire";

export interface Viewer {
  user: { email: string; name: string | null };
  tenant: { name: string } | null;
  roles: { name: string }[];
  permissions: string[];
}

export interface Refusal {
  code: string;
  message: string;
}

export interface Choice {
  tenantId: string;
  name: string;
}

export type Session =
  | { step: "out"; refusal?: Refusal }
  | { step: "busy"; doing: string }
  | { step: "factor"; challenge: string; refusal?: Refusal }
  | { step: "choice"; ticket: string; choices: Choice[] }
  | { step: "in"; viewer: Viewer; expiresAt: string | null };

type LoginAnswer =
  | { __typename: "LoginSuccess"; accessToken: string; expiresAt: string }
  | ({ __typename: "MfaRequired"; challenge: string } & Refusal)
  | { __typename: "TenantChoiceRequired"; ticket: string; choices: Choice[] }
  | ({ __typename: string } & Refusal);

const LOGIN_RESULT = `
  __typename
  ... on LoginSuccess { accessToken expiresAt }
  ... on MfaRequired { challenge }
  ... on TenantChoiceRequired { ticket choices { tenantId name } }
  ... on Problem { code message }`;
const LOGIN = `mutation SignIn($input: LoginInput!) { login(input: $input) {${LOGIN_RESULT} } }`;
const SWITCH = `mutation ChooseTenant($input: TenantSwitchInput!) { tenantSwitch(input: $input) {${LOGIN_RESULT} } }`;
const VERIFY = `mutation VerifyFactor($input: MfaVerifyInput!) { mfaVerify(input: $input) {${LOGIN_RESULT} } }`;
const LOGOUT = "mutation SignOut { logout { __typename } }";
const VIEWER =
  "query Session { viewer { user { email name } tenant { name } roles { name } permissions } }";

let session: Session = { step: "out" };
let token: string | null = null;
let authority: string | undefined;
/** Counts the ways out: what was begun before one does not sign anyone in after it. */
let departures = 0;
let expiry: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export function useSession(): Session {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => session,
  );
}

function become(next: Session): void {
  session = next;
  listeners.forEach((listener) => listener());
}

function leave(refusal?: Refusal): void {
  departures += 1;
  token = null;
  authority = undefined;
  clearTimeout(expiry);
  become({ step: "out", refusal });
}

/** Every request of the page passes here, so that the panel follows what the answers say. */
export async function call(operation: Operation, headers: Record<string, string> = {}): Promise<Answer> {
  const used = token;
  const answer = await send(operation, used ? { Authorization: `Bearer ${used}`, ...headers } : headers);
  if (used && used === token) follow(answer);
  return answer;
}

function follow(answer: Answer): void {
  const ended = answer.errors?.find((error) => error.extensions?.["code"] === "UNAUTHENTICATED");
  if (ended) return leave({ code: "UNAUTHENTICATED", message: "The session has ended. Sign in again." });
  const version = answer.extensions?.authority?.version;
  if (version === undefined || version === authority) return;
  const first = authority === undefined;
  authority = version;
  if (!first && session.step === "in") void showViewer(session.expiresAt);
}

export async function signIn(method: SignInMethod): Promise<void> {
  become({ step: "busy", doing: "Waiting for the provider's window …" });
  const begun = departures;
  try {
    const proof = await signInAtProvider(method);
    if (begun === departures) await login({ oidc: proof });
  } catch (error) {
    if (begun !== departures) return;
    const told = error instanceof SignInStopped ? error.message : "The provider does not answer.";
    leave({ code: "STOPPED", message: told });
  }
}

export function presentIdToken(method: SignInMethod, idToken: string): Promise<void> {
  return login(method.kind === "FIREBASE" ? { firebase: { idToken } } : { oidc: { idToken, issuer: method.issuer } });
}

export function presentAccessToken(accessToken: string): Promise<void> {
  return enter(accessToken, null);
}

async function login(input: unknown): Promise<void> {
  become({ step: "busy", doing: "Signing in …" });
  await conclude({ query: LOGIN, variables: { input } }, "login");
}

export async function chooseTenant(tenantId: string, ticket: string): Promise<void> {
  become({ step: "busy", doing: "Entering the tenant …" });
  await conclude({ query: SWITCH, variables: { input: { tenantId, ticket } } }, "tenantSwitch");
}

export async function verifyFactor(code: string, challenge: string): Promise<void> {
  become({ step: "busy", doing: "Checking the code …" });
  await conclude({ query: VERIFY, variables: { input: { challenge, code } } }, "mfaVerify", challenge);
}

async function conclude(operation: Operation, field: string, challenge?: string): Promise<void> {
  const begun = departures;
  const answer = await send(operation);
  if (begun !== departures) return;
  const result = answer.data?.[field] as LoginAnswer | null | undefined;
  if (!result) return leave(refusalOf(answer));
  if ("accessToken" in result) return enter(result.accessToken, result.expiresAt);
  if ("challenge" in result) return become({ step: "factor", challenge: result.challenge });
  if (challenge && result.__typename === "FactorRejected" && "code" in result) {
    return become({ step: "factor", challenge, refusal: { code: result.code, message: result.message } });
  }
  if ("choices" in result) return become({ step: "choice", ticket: result.ticket, choices: result.choices });
  leave({ code: result.code, message: result.message });
}

async function enter(accessToken: string, expiresAt: string | null): Promise<void> {
  token = accessToken;
  clearTimeout(expiry);
  if (expiresAt) {
    const left = new Date(expiresAt).getTime() - Date.now();
    expiry = setTimeout(() => leave({ code: "EXPIRED", message: "The access token has expired." }), left);
  }
  await showViewer(expiresAt);
}

async function showViewer(expiresAt: string | null): Promise<void> {
  const answer = await call({ query: VIEWER });
  if (token === null) return;
  const viewer = answer.data?.["viewer"] as Viewer | null | undefined;
  if (viewer) become({ step: "in", viewer, expiresAt });
  else leave(refusalOf(answer));
}

export async function signOut(): Promise<void> {
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  leave();
  await send({ query: LOGOUT }, headers);
}

export function startAgain(): void {
  leave();
}

function refusalOf(answer: Answer): Refusal {
  const error = answer.errors?.[0];
  return {
    code: String(error?.extensions?.["code"] ?? "NO_ANSWER"),
    message: error?.message ?? "The service gave no answer.",
  };
}
