package desk_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// copyText writes the text of a page to print. It fails unless the policy of the answer allows just its style sheet.
func copyText(w io.Writer, answer *http.Response) (int64, error) {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(body), "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := answer.Header.Get("Content-Security-Policy")
	if !found || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		return 0, errors.New("the policy does not have the style sheet: " + policy)
	}
	return io.Copy(w, strings.NewReader(string(body)))
}

// The printed page of an entry says who has checked it, what was reported, and what an urgent order has done.
func TestPrintedPageIsComplete(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, marta, rita := a.as(t, "paola"), a.as(t, "marta"), a.as(t, "rita")
	paola.propose(t, fields("entries", "shop.example", "source", "hotline", "reference", "case 44", "note", "sells nothing"))
	marta.post(t, "/proposals/decide", fields("seen", marta.get(t, "/proposal/1").values["seen"], "verb", "check", "reason", "seen from two places"))
	rita.post(t, "/proposals/decide", fields("seen", rita.get(t, "/proposal/1").values["seen"], "verb", "confirm", "reason", "fake shop"))
	p := rita.getAny(t, "/entry/page?of=shop.example")
	assert.Regexp(t, `Checked by: marta, [-0-9: ]+: seen from two places`, p.text)
	assert.Contains(t, p.text, "proposal 1: hotline [case 44]: sells nothing")

	a.orderUrgently(t, paola, fields("entries", "stream.example", "reference", "night 2"))
	rita.post(t, "/urgent/push", nil)
	p = rita.getAny(t, "/entry/page?of=stream.example")
	assert.Contains(t, p.text, "urgent order, on top of a release")
	assert.NotContains(t, p.text, "in no release yet")
	assert.Contains(t, p.raw, `<rect class="up"`, "it is in force")
}
