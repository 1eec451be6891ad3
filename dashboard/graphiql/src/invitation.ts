/** `/invitation#token`, where a mailed link leads while developing: sign in, and accept. */

import { signInAtProvider, SignInStopped, type SignInMethod } from "./provider";
import { send, type Answer } from "./wire";

const METHODS = "query Server { serverInfo { signInMethods { kind issuer clientId title } } }";
/** No token is asked for: the page shows who has come in, and keeps nothing. */
const ACCEPT = `mutation AcceptInvitation($input: InvitationAcceptInput!) {
  invitationAccept(input: $input) {
    __typename
    ... on LoginSuccess { viewer { user { email } tenant { name } roles { name } } }
    ... on Problem { code message }
  }
}`;

interface Accepted {
  viewer: { user: { email: string }; tenant: { name: string } | null; roles: { name: string }[] };
}

interface Refused {
  code: string;
  message: string;
}

/** Said alike, so that nobody learns from the answer which of them it is. */
const NOT_INVITED = "Was the letter sent to another address? Or the link used before, taken back, replaced, or too old?";

const token = location.hash.slice(1);
// The token leaves the address bar, and with it the browser's history.
history.replaceState(null, "", location.pathname);

const title = document.querySelector("h1");
const place = document.getElementById("invitation");

function show(heading: string, ...content: HTMLElement[]): void {
  if (title) title.textContent = heading;
  place?.replaceChildren(...content);
}

function element(name: string, className: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

const paragraph = (text: string) => element("p", "", text);

function linkTo(address: string, text: string): HTMLElement {
  const made = document.createElement("a");
  made.href = address;
  made.textContent = text;
  const around = paragraph("");
  around.append(made);
  return around;
}

function button(text: string, press: () => void): HTMLElement {
  const made = element("button", "primary", text);
  made.addEventListener("click", press);
  return made;
}

function ask(method: SignInMethod): void {
  show(
    "You are invited",
    paragraph("To accept, sign in with the address that the letter was sent to."),
    button("Sign in and accept", () => void accept(method)),
    element("p", "soft", "In the provider's window, give that address under “Someone else”."),
  );
}

async function accept(method: SignInMethod): Promise<void> {
  show("You are invited", paragraph("Waiting for the provider's window …"));
  try {
    const oidc = await signInAtProvider(method);
    told(await send({ query: ACCEPT, variables: { input: { token, login: { oidc } } } }), method);
  } catch (error) {
    const message = error instanceof SignInStopped ? error.message : "The provider does not answer.";
    refused({ code: "STOPPED", message }, method);
  }
}

function told(answer: Answer, method: SignInMethod): void {
  const result = answer.data?.["invitationAccept"] as Accepted | Refused | null | undefined;
  if (result && "viewer" in result) return welcome(result);
  const error = answer.errors?.[0];
  const code = String(error?.extensions?.["code"] ?? "NO_ANSWER");
  refused(result ?? { code, message: error?.message ?? "The service gave no answer." }, method);
}

function welcome({ viewer }: Accepted): void {
  const roles = viewer.roles.map((role) => role.name).join(", ");
  show(
    `Welcome to ${viewer.tenant?.name ?? "Tenantry"}`,
    paragraph(`${viewer.user.email} is a member now, as ${roles}. The link is used up.`),
    linkTo("/graphiql/", "Go on in GraphiQL, and sign in there with the same address"),
  );
}

function refused({ code, message }: Refused, method: SignInMethod): void {
  const notice = element("p", "notice", message);
  notice.append(" ", element("code", "soft", code));
  const more = code === "NOT_INVITED" ? [paragraph(NOT_INVITED)] : [];
  show("This did not work", notice, ...more, button("Try again", () => void accept(method)));
}

async function begin(): Promise<void> {
  if (!token) {
    return show("No invitation here", paragraph("The address has lost its end. Open the link in the letter again."));
  }
  const answer = await send({ query: METHODS });
  const info = answer.data?.["serverInfo"] as { signInMethods: SignInMethod[] } | null | undefined;
  const method = info?.signInMethods.find(({ kind }) => kind === "DEVELOPMENT");
  if (method) ask(method);
  else show("You are invited", paragraph(answer.errors?.[0]?.message ?? "There is no development provider here."));
}

await begin();
