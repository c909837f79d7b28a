package desk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A page of a protected host can be listed, but a text often names the genuine site: the desk says so, does not tick it,
// does not suggest the whole site, and has no green word beside it.
func TestPageOfProtectedHost(t *testing.T) {
	t.Parallel()
	_, carla, rita := office(t)
	const says, clear, site = "t.me is protected: a page on it can be listed, the whole site can't.",
		"The safety check finds nothing.", "Is the whole site meant?"
	seen := func(p page) {
		t.Helper()
		assert.Contains(t, p.text, says)
		assert.NotContains(t, p.text, clear)
		assert.NotContains(t, p.text, site)
	}
	mail := fields("entries", "The genuine one is https://t.me/ and this one is not: https://bad.example/x", "source", "a mail")
	p := carla.post(t, "/propose", mail)
	seen(p)
	assert.Regexp(t, `value="https://t.me/" aria-label="[^"]*">`, p.raw, "it is not ticked")
	assert.Regexp(t, `value="https://bad.example/x" aria-label="[^"]*" checked>`, p.raw)

	p = carla.post(t, "/propose", fields("entries", "https://t.me/", "source", "hotline"))
	assert.Regexp(t, `value="https://t.me/" aria-label="[^"]*" checked>`, p.raw, "it is the only one named")
	seen(p)
	carla.propose(t, fields("entries", "https://t.me/", "source", "hotline"))
	seen(carla.get(t, "/proposal/1"))
	seen(rita.get(t, "/proposal/1"))
	seen(carla.post(t, "/add", fields("entries", "https://t.me/", "reason", "as ordered")))
	assert.Contains(t, carla.post(t, "/add", fields("entries", "https://bad.example/x")).text, clear)
}

// What was refused before is not ticked in a text that names it again.
func TestRefusedIsNotTicked(t *testing.T) {
	t.Parallel()
	_, carla, rita := office(t)
	carla.propose(t, fields("entries", "https://shop.example/", "source", "hotline"))
	f := rita.rows(t, "1")
	f.Set("verb", "refuse")
	f.Set("reason", "the genuine shop")
	rita.post(t, "/proposals/decide", f)
	p := carla.post(t, "/propose", fields("entries", "Please look at https://shop.example/ and https://bad.example/x", "source", "a mail"))
	assert.Contains(t, p.text, "the genuine shop")
	assert.Regexp(t, `value="https://shop.example/" aria-label="[^"]*">`, p.raw)
	assert.Regexp(t, `value="https://bad.example/x" aria-label="[^"]*" checked>`, p.raw)
}
