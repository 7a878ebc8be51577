// An OpenID provider like ProConnect for the tests: signed userinfo, acr, siret, sign-out.
//   node provider.mjs PORT REDIRECT_URI POST_LOGOUT_URI FOLDER_OF_node_modules
// Whoever signs in with its form is known by the login name; the password is not looked at.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, redirectUri, leaveUri, folder] = process.argv.slice(2);
const found = createRequire(`${folder}/package.json`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found));

const SCOPES = "openid given_name usual_name email siret uid";
const people = {
  marie: { given_name: "Marie", usual_name: "Curie", email: "marie@finances.example", siret: "11002001300097", uid: "m-1", idp_id: "idp-1" },
  paul: { given_name: "Paul", usual_name: "Langevin", email: "paul@finances.example", siret: "11002001300097", uid: "p-1", idp_id: "idp-1" },
  jean: { given_name: "Jean", usual_name: "Dupont", email: "jean@elsewhere.example", siret: "99999999999999", uid: "j-1", idp_id: "idp-2" },
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "sovproxy",
    client_secret: "a-secret-of-the-tests",
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [leaveUri],
    token_endpoint_auth_method: "client_secret_post",
    userinfo_signed_response_alg: "RS256",
  }],
  claims: {
    openid: ["sub", "acr"],
    given_name: ["given_name"],
    usual_name: ["usual_name"],
    email: ["email"],
    siret: ["siret"],
    uid: ["uid", "idp_id"],
  },
  acrValues: ["eidas1", "eidas2"],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    jwtUserinfo: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  // Nobody is asked for consent: the administration has given it for all.
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(SCOPES);
    await grant.save();
    return grant;
  },
  cookies: { keys: ["only-for-tests"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
