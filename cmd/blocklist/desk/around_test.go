package desk_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Who names something that is not listed itself, reads what covers it, or is listed below it, and is led there.
func TestWhatIsAroundAnEntry(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	a.list(t, "seed.example", "https://shop.example/fake/bags", "=www.other.example", `orders.example ref="order 1"`, `orders.example ref="order 2"`)
	b := a.enter(t)
	b.lang = "it"
	p := b.post(t, "/withdraw", fields("entries", "www.seed.example\nshop.example\nother.example\n=shop.example"))
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "www.seed.example: Non è in lista. È compresa in seed.example")
	assert.Contains(t, p.text, "shop.example: Non è in lista. In lista, sotto di essa: https://shop.example/fake/bags")
	assert.Contains(t, p.text, "other.example: Non è in lista. In lista, sotto di essa: =www.other.example")
	assert.Contains(t, p.text, "=shop.example: Non è in lista. In lista, sotto di essa: https://shop.example/fake/bags")
	for _, target := range []string{"seed.example", "https://shop.example/fake/bags", "=www.other.example"} {
		assert.True(t, p.links["/entry?of="+strings.ToLower(url.QueryEscape(target))], "%s: %v", target, p.links)
	}
	p = b.get(t, "/entry?of=shop.example")
	assert.Contains(t, p.text, "In lista, sotto di essa: https://shop.example/fake/bags")
	assert.NotContains(t, b.get(t, "/entry?of=shop2.example").text, "sotto di essa")

	p = b.post(t, "/withdraw", fields("entries", "orders.example", "reference", "annulment 9"))
	assert.Contains(t, p.text, "orders.example: è in lista, ma per un altro ordine. Si basa su order 1, order 2.")
	p = b.get(t, "/withdraw?entries=orders.example")
	assert.Contains(t, p.raw, `<option>order 2</option>`)
	p = b.get(t, "/withdraw?entries=seed.example")
	assert.Regexp(t, `<details><summary>[^<]*</summary>\s*<label>[^<]*<input name="reference"`, p.raw)
}

// The preview of an order says what it covers, and what of that is listed already.
func TestPreviewSaysExtent(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	a.list(t, "https://already.example/page")
	p := a.enter(t).post(t, "/add", fields("entries", "already.example\nhttps://two.example/page\n=three.example"))
	assert.Contains(t, p.text, "|Covers the whole site and all names below it Listed below it: https://already.example/page")
	assert.Contains(t, p.text, "|Covers this page alone. Resolvers can't block pages: only proxies and apps that see URLs can")
	assert.Equal(t, 1, strings.Count(p.text, "Where subscribers have resolvers only, a page stays open."))
	assert.NotContains(t, p.text, "the whole site meant")
	assert.Contains(t, p.text, "|Covers the whole site, without names below it")
}

// The preview of a withdrawal names how many orders it does not show, and says if the guards would stop its release.
func TestPreviewSaysWhatWouldBeStopped(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var lines []string
	for i := range 31 {
		lines = append(lines, fmt.Sprintf(`n%d.example ref="order 7"`, i))
	}
	a.list(t, append(lines, "m.example", "n.example")...)
	a.release(t)
	a.open(t)
	b := a.enter(t)
	p := b.post(t, "/withdraw", fields("reference", "order 7"))
	assert.Contains(t, p.text, "and 11 more")
	assert.Contains(t, p.text, "A release with this would be stopped: stopped Unusually many entries would be withdrawn at once.")
	assert.NotContains(t, b.post(t, "/withdraw", fields("entries", "m.example")).text, "would be stopped")
	f := fields("reference", "order 7", "head", p.values["head"])
	b.post(t, "/withdraw", f)
	assert.Contains(t, b.post(t, "/withdraw", fields("entries", "m.example\nn.example")).text, "No entry would be left on the list.")
}
