/** Signing in at the development provider: authorization code with PKCE (RFC 7636), in a pop-up. */

const CALLBACK = "/graphiql/callback.html";
const CHANNEL = "tenantry-sign-in";
const WATCH_MS = 400;

export interface SignInMethod {
  kind: "DEVELOPMENT" | "OIDC" | "FIREBASE";
  issuer: string | null;
  clientId: string | null;
  title: string | null;
}

export interface Proof {
  idToken: string;
  issuer: string;
  nonce: string;
}

export class SignInStopped extends Error {}

interface Reply {
  state: string | null;
  code: string | null;
  error: string | null;
}

/** Must be called from a click: it opens a window. Rejects with SignInStopped. */
export async function signInAtProvider(method: SignInMethod): Promise<Proof> {
  const { issuer, clientId } = method;
  if (!issuer || !clientId) throw new SignInStopped("The development provider names no client.");
  const popup = window.open("about:blank", "tenantry-sign-in", "popup,width=520,height=880");
  if (!popup) throw new SignInStopped("The browser blocked the window. Allow pop-ups for this page.");
  const [verifier, state, nonce] = [secret(), secret(), secret()];
  const redirectUri = new URL(CALLBACK, location.origin).href;
  const base = sameOrigin(issuer);
  popup.location.replace(
    `${base}/authorize?` +
      new URLSearchParams({
        response_type: "code",
        response_mode: "fragment",
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: "openid email profile",
        state,
        nonce,
        code_challenge: await challenge(verifier),
        code_challenge_method: "S256",
      }),
  );
  const code = await reply(popup, state);
  const idToken = await redeem(base, { code, verifier, clientId, redirectUri });
  return { idToken, issuer, nonce };
}

function sameOrigin(issuer: string): string {
  const url = new URL(issuer);
  if (url.origin !== location.origin) {
    throw new SignInStopped(`Open this page at ${url.origin}: the provider lives there.`);
  }
  return issuer.replace(/\/$/, "");
}

function reply(popup: Window, state: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const channel = new BroadcastChannel(CHANNEL);
    const watch = setInterval(() => {
      // One turn of grace: the window may close right after it has posted its answer.
      if (popup.closed) setTimeout(() => end(() => reject(new SignInStopped("The window was closed."))), WATCH_MS);
    }, WATCH_MS);
    const end = (settle: () => void) => {
      clearInterval(watch);
      channel.close();
      settle();
    };
    channel.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.state !== state) return;
      const { code, error } = data;
      end(() => (code ? resolve(code) : reject(new SignInStopped(error ?? "The provider refused."))));
    };
  });
}

async function redeem(
  base: string,
  grant: { code: string; verifier: string; clientId: string; redirectUri: string },
): Promise<string> {
  const response = await fetch(`${base}/token`, {
    method: "POST",
    cache: "no-store",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: grant.code,
      code_verifier: grant.verifier,
      client_id: grant.clientId,
      redirect_uri: grant.redirectUri,
    }),
  });
  const body = (await response.json()) as { id_token?: string; error_description?: string };
  if (!response.ok || !body.id_token) {
    throw new SignInStopped(body.error_description ?? "The provider did not redeem the code.");
  }
  return body.id_token;
}

function secret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challenge(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(digest));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
