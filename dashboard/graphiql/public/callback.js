// The end of the pop-up: hands the authorization code to the page that asked for it and closes.
// The answer comes in the fragment, which no server sees. A BroadcastChannel reaches pages of this
// origin only; that page compares `state` itself.
const answer = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const channel = new BroadcastChannel("tenantry-sign-in");
channel.postMessage({
  state: answer.get("state"),
  code: answer.get("code"),
  error: answer.get("error_description") ?? answer.get("error"),
});
channel.close();
window.close();
