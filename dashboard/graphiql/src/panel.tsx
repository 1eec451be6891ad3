import type { GraphiQLPlugin } from "@graphiql/react";
import { useEffect, useState, type FormEvent } from "react";
import type { SignInMethod } from "./provider";
import {
  chooseTenant,
  presentAccessToken,
  presentIdToken,
  signIn,
  signOut,
  startAgain,
  useSession,
  verifyFactor,
  type Choice,
  type Refusal,
  type Viewer,
} from "./session";
import { send } from "./wire";

interface ServerInfo {
  version: string;
  environment: string;
  signInMethods: SignInMethod[];
}

const SERVER = "query Server { serverInfo { version environment signInMethods { kind issuer clientId title } } }";

function useServerInfo(): ServerInfo | null {
  const [info, setInfo] = useState<ServerInfo | null>(null);
  useEffect(() => {
    void send({ query: SERVER }).then((answer) => setInfo((answer.data?.["serverInfo"] as ServerInfo) ?? null));
  }, []);
  return info;
}

function SessionPanel() {
  const session = useSession();
  const info = useServerInfo();
  return (
    <div className="session">
      <h2>Session</h2>
      <div aria-live="polite">
        {session.step === "out" && <SignedOut info={info} refusal={session.refusal} />}
        {session.step === "busy" && <Busy doing={session.doing} />}
        {session.step === "factor" && <SecondFactor challenge={session.challenge} refusal={session.refusal} />}
        {session.step === "choice" && <TenantChoice choices={session.choices} ticket={session.ticket} />}
        {session.step === "in" && <SignedIn viewer={session.viewer} expiresAt={session.expiresAt} />}
      </div>
      {info && (
        <footer>
          Tenantry {info.version} · {info.environment}
          {info.environment === "development" && (
            <>
              {" · "}
              <a href="/dev/mailbox" target="tenantry-mailbox">
                mailbox
              </a>
            </>
          )}
        </footer>
      )}
    </div>
  );
}

function SignedOut({ info, refusal }: { info: ServerInfo | null; refusal?: Refusal }) {
  const development = info?.signInMethods.find((method) => method.kind === "DEVELOPMENT");
  return (
    <>
      {refusal && <Refused refusal={refusal} />}
      <p>
        You are <strong>signed out</strong>. Requests go out without a token, and only public fields answer.
      </p>
      {development && (
        <button type="button" className="session-primary" onClick={() => void signIn(development)}>
          Sign in with the development provider
        </button>
      )}
      {info && <OwnToken info={info} open={!development} />}
    </>
  );
}

function OwnToken({ info, open }: { info: ServerInfo; open: boolean }) {
  const methods = info.signInMethods.filter((method) => method.kind !== "DEVELOPMENT");
  const present = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = String(form.get("token") ?? "").trim();
    const method = methods[Number(form.get("method"))];
    if (text) void (method ? presentIdToken(method, text) : presentAccessToken(text));
  };
  return (
    <details open={open}>
      <summary>Use a token of your own</summary>
      <p>
        Paste an access token of this service, or an ID token of a sign-in method it accepts. It stays in this
        page's memory until you sign out or reload.
      </p>
      <form onSubmit={present} autoComplete="off">
        <label>
          Kind
          <select name="method" defaultValue="access">
            <option value="access">Access token</option>
            {methods.map((method, index) => (
              <option key={`${method.kind} ${method.issuer}`} value={index}>
                ID token · {method.title || method.issuer || method.kind}
              </option>
            ))}
          </select>
        </label>
        <label>
          Token
          <textarea name="token" rows={4} spellCheck={false} placeholder="eyJ…" />
        </label>
        <button type="submit">Use this token</button>
      </form>
    </details>
  );
}

function Busy({ doing }: { doing: string }) {
  return (
    <>
      <p role="status">{doing}</p>
      <button type="button" onClick={startAgain}>
        Cancel
      </button>
    </>
  );
}

function TenantChoice({ choices, ticket }: { choices: Choice[]; ticket: string }) {
  return (
    <>
      <p>You belong to several tenants. Which one?</p>
      <ul className="session-choices">
        {choices.map(({ tenantId, name }) => (
          <li key={tenantId}>
            <button type="button" onClick={() => void chooseTenant(tenantId, ticket)}>
              {name}
            </button>
          </li>
        ))}
      </ul>
      <button type="button" className="session-quiet" onClick={startAgain}>
        Cancel
      </button>
    </>
  );
}

function SecondFactor({ challenge, refusal }: { challenge: string; refusal?: Refusal }) {
  const verify = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget).get("code") ?? "").trim();
    if (code) void verifyFactor(code, challenge);
  };
  return (
    <>
      {refusal && <Refused refusal={refusal} />}
      <form onSubmit={verify} autoComplete="off">
        <label>
          Code of your authenticator, or a recovery code
          <input name="code" autoComplete="one-time-code" spellCheck={false} autoFocus />
        </label>
        <button type="submit" className="session-primary">
          Confirm
        </button>
      </form>
      <button type="button" className="session-quiet" onClick={startAgain}>
        Cancel
      </button>
    </>
  );
}

function SignedIn({ viewer, expiresAt }: { viewer: Viewer; expiresAt: string | null }) {
  const { user, tenant, roles, permissions } = viewer;
  return (
    <>
      <div className="session-person">
        <span className="session-initials" aria-hidden="true">
          {initials(user.name ?? user.email)}
        </span>
        <div>
          <strong>{user.name ?? user.email}</strong>
          {user.name && <div className="session-hint">{user.email}</div>}
        </div>
      </div>
      <dl>
        <dt>Tenant</dt>
        <dd>{tenant?.name ?? "the platform"}</dd>
        <dt>Roles</dt>
        <dd>{roles.map((role) => role.name).join(", ") || "none"}</dd>
        {expiresAt && (
          <>
            <dt>Token until</dt>
            <dd>
              <time dateTime={expiresAt}>{new Date(expiresAt).toLocaleTimeString()}</time>
            </dd>
          </>
        )}
      </dl>
      <details>
        <summary>{permissions.length} permissions</summary>
        <ul className="session-permissions">
          {permissions.map((permission) => (
            <li key={permission}>
              <code>{permission}</code>
            </li>
          ))}
        </ul>
      </details>
      <p className="session-hint">Every request now carries the access token. It is kept in memory: a reload forgets it.</p>
      <button type="button" onClick={() => void signOut()}>
        Sign out
      </button>
    </>
  );
}

function Refused({ refusal }: { refusal: Refusal }) {
  return (
    <div className="session-refusal" role="alert">
      <code>{refusal.code}</code>
      <span>{refusal.message}</span>
    </div>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s@.]+/).filter(Boolean);
  return words.slice(0, 2).map((word) => word[0]?.toUpperCase()).join("");
}

function SessionIcon() {
  const signedIn = useSession().step === "in";
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <circle cx="12" cy="8" r="4" fill={signedIn ? "currentColor" : "none"} />
      <path d="M4.5 20c1-4 4-6 7.500-6s6.500 2 7.500 6" strokeLinecap="round" />
    </svg>
  );
}

export const SESSION_PLUGIN: GraphiQLPlugin = { title: "Session", icon: SessionIcon, content: SessionPanel };
