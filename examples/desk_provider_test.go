package examples_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// provider is a small identity provider (OpenID Connect Core 1.0, code flow). A cookie says who asks, as where a
// person has signed in this morning.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	issued map[string]url.Values // requests for which a code was given
}

const clientSecret = "s3cret"

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &provider{key: key, issued: map[string]url.Values{}}
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	m.HandleFunc("GET /keys", p.keys)
	m.HandleFunc("GET /login", p.login)
	m.HandleFunc("GET /authorize", p.authorize)
	m.HandleFunc("POST /token", p.token)
	m.HandleFunc("GET /logout", p.logout)
	p.Server = httptest.NewServer(m)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"end_session_endpoint":     p.URL + "/logout",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "scopes_supported": []string{"openid", "email"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
		"n": encode(p.key.N.Bytes()), "e": encode(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

// login begins the session of a person.
func (p *provider) login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "person", Value: r.FormValue("as"), Path: "/"})
}

// logout ends it. The URL to go on to must be one that the client has registered (OpenID Connect RP-Initiated Logout 1.0).
func (p *provider) logout(w http.ResponseWriter, r *http.Request) {
	next, err := url.Parse(r.FormValue("post_logout_redirect_uri"))
	if err != nil || next.Scheme != "https" || next.Hostname() != "desk.example" || next.Path != "/signed-out" {
		http.Error(w, "not a URL that was registered", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "person", Path: "/", MaxAge: -1})
	http.Redirect(w, r, next.String(), http.StatusFound)
}

// authorize sends a person who has signed in back with a code.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	person, err := r.Cookie("person")
	if err != nil {
		fmt.Fprint(w, "the provider asks for a password")
		return
	}
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != "desk" || back.Hostname() != "desk.example" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "not one of our clients", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	q.Set("person", person.Value)
	p.mu.Lock()
	p.issued[code] = q
	p.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// token gives the ID token for a code, once.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	asked := p.issued[r.FormValue("code")]
	delete(p.issued, r.FormValue("code"))
	p.mu.Unlock()
	client, secret, _ := r.BasicAuth()
	verifier := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if asked == nil || client != "desk" || secret != clientSecret || asked.Get("code_challenge") != encode(verifier[:]) {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	answer(w, map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600, "id_token": p.sign(map[string]any{
			"iss": p.URL, "aud": "desk", "sub": "sub-" + asked.Get("person"), "nonce": asked.Get("nonce"), "iat": time.Now().Unix(),
			"exp": time.Now().Add(time.Hour).Unix(), "email": asked.Get("person") + "@agency.example", "email_verified": true,
		}),
	})
}

// sign returns a JSON Web Token (RFC 7519) by RS256.
func (p *provider) sign(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err) // can't happen: they are texts and numbers
	}
	text := encode([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err) // can't happen: the key is long enough
	}
	return text + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client has gone
}
