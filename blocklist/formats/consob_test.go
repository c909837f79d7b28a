package formats_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// An order in prose: no subdomain is dropped, no URL is shortened, and each entry has the number and day of its order.
func TestConsob(t *testing.T) {
	t.Parallel()
	const ref = ` ref="CONSOB 23456 6 novembre 2026"`
	text := lines(
		"La Consob ha ordinato l'oscuramento di 6 siti web abusivi (delibera n. 23456 del 6 novembre 2026):",
		"- «One Trade S.p.A.» (sito internet https://one.example e relativa pagina https://Client.One.example/login);",
		"- \"Two Ltd\" (www.two.example, https://trade.two.example/);",
		"- Three (https://three.example/a,b;c/(d)?e=f&g=h.).",
		"- Four, sito:https://four.example:8443/x. Scrivere a info@four.example o a www@four.example",
		"- Example.org (https://web.example/go?u=https://five.example/)",
		"Con delibera n. 23457 dell'11/11/2026: https://t.example/six",
		"https://a.example;https://b.example, https://app.example/#/login e https://*.seven.example",
	)
	entries, skipped, err := read(t, text, formats.Options{Format: formats.CONSOB})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"one.example" + ref, "https://client.one.example/login" + ref, "www.two.example" + ref, "trade.two.example" + ref,
		"https://three.example/a,b;c/(d)?e=f&g=h" + ref, "https://four.example/x" + ref, "https://web.example/go?u=https://five.example/" + ref,
		`https://t.example/six ref="CONSOB 23457 11/11/2026"`,
	}, entries)
	assert.Equal(t, []string{
		"name in prose without https:// or www., not listed: 1 @ [6]", "two URLs without a space between them: 1 @ [8]",
		"URL with a fragment, unsupported: 1 @ [8]", "pattern, unsupported: 1 @ [8]",
	}, skipped)
}

// The page as it was saved is read as its text is: links and scripts are not part of it.
func TestConsobPage(t *testing.T) {
	t.Parallel()
	page := "\ufeff<!DOCTYPE html>\n<html lang=it><head><title>Oscuramenti</title><script>var u = 'https://script.example/'</script>\n" +
		"<style>a { background: url(https://style.example/) }</style></head><body><a href=\"https://www.authority.example/\">Home</a>\n" +
		"<p>Delibera n.&nbsp;23456 del\n6&nbsp;novembre 2026</p><ul><li>One (<a href=\"https://link.example\">https://<b>sub</b>.one.example/a?b&amp;c</a>);\n" +
		"<li>www.two.<wbr>example</ul><table><tr><td>www.three.example<td>www.four.example</table><br>www.five.example</body></html>\n"
	entries, skipped, err := read(t, page, formats.Options{Format: formats.CONSOB})
	require.NoError(t, err)
	const ref = ` ref="CONSOB 23456 6 novembre 2026"`
	assert.Equal(t, []string{
		"https://sub.one.example/a?b&c" + ref, "www.two.example" + ref, "www.three.example" + ref, "www.four.example" + ref, "www.five.example" + ref,
	}, entries)
	assert.Empty(t, skipped)

	_, _, err = read(t, page, formats.Options{})
	require.ErrorIs(t, err, blocklist.ErrMalformed, "it has to be named")
	_, _, err = read(t, "<html><p>"+strings.Repeat("x", 2<<20), formats.Options{Format: formats.CONSOB})
	require.Error(t, err)
	_, _, err = read(t, "<html><p>Nothing to see here.", formats.Options{Format: formats.CONSOB})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
}
