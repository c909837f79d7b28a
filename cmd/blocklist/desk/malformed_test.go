package desk_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each wrong line of a form is named with its reason, in the language of the person.
func TestEachWrongLineHasItsReason(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	b.lang = "it"
	p := b.post(t, "/add", fields("entries", "good.example\nhttps://bad.example/a#top\n*.bad.example\nada@bad.example\n"+
		"a.example, b.example\nhttps://bad.example/a b\nhtps:/typo.example\nshop .example.org\nnot_a_thing!"))
	assert.Equal(t, http.StatusBadRequest, p.status)
	for _, says := range []string{
		"“https://bad.example/a#top”: ciò che segue # non esce mai dal browser",
		"ada@bad.example” è un indirizzo e-mail.",
		"“a.example, b.example”: una voce per riga",
		"“https://bad.example/a b”: ciò che segue lo spazio non è un attributo come category=…; uno spazio nell'indirizzo si scrive %20.",
		"“shop .example.org”: un nome non contiene spazi. Una voce per riga;",
		"Intendi https://typo.example",
		"not_a_thing!",
	} {
		assert.Contains(t, p.text, says)
	}
	assert.Regexp(t, `Intendi bad\.example\?|“\*\.bad\.example”: un nome senza asterisco`, p.text)
	assert.NotContains(t, p.text, "key=value")
	assert.Regexp(t, `<textarea name="entries"[^>]* aria-invalid="true"`, p.raw)
	p = b.post(t, "/add", fields("entries", "good.example", "expires", "22027-03-10"))
	assert.Contains(t, p.text, "“22027-03-10” non è una data: l'anno ha quattro cifre")
	assert.Regexp(t, `name="expires"[^>]* aria-invalid="true"`, p.raw)
	for _, none := range []string{"31/02/2027", "2027-02-31", "2027-13-01"} {
		p = b.post(t, "/add", fields("entries", "good.example", "expires", none))
		assert.Contains(t, p.text, "“"+none+"”: questa data non esiste.")
	}
	assert.Contains(t, b.post(t, "/add", fields("entries", "good.example", "expires", "01/03/2027")).text, "come in 2027-05-01")
}

// A form that no browser sends is the fault of who sends it, not of the desk.
func TestMalformedForm(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	for _, path := range []string{"/preferences", "/urgent", "/urgent/keep", "/pending/discard", "/add", "/withdraw", "/propose", "/proposals/decide"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, strings.NewReader("entries=%zz"))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		assert.Equal(t, http.StatusBadRequest, b.send(t, r).status, path)
	}
}
