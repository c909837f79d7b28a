package trust_test

import (
	"bytes"
	"encoding/base64"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// orders makes the vectors of urgent orders, each beside a release that is right.
func (m *vectorMaker) orders() {
	a := *m.agency
	a.Roots, a.Urgent = nil, trust.Urgent{Entries: 2, Hours: 24}
	a.Rotate()
	r := a.Release(7, "example.org")
	one := []string{"bad.example expires=2026-11-23"}
	good := a.Orders(1, 7, one, anna)
	other := a
	other.List = "it.example/other"
	for _, c := range []struct {
		name, comment, expect, says string
		doc                         []byte
	}{
		{"", "one officer orders alone", "ok", "", good},
		{"-none", "the orders that were are withdrawn", "ok", "", a.Orders(2, 7, nil, anna)},
		{"-no-signature", "the orders are not signed", "untrusted", "no officer", a.Orders(1, 7, one)},
		{"-stranger", "somebody who is no officer has signed", "untrusted", "no officer", a.Orders(1, 7, one, dora)},
		{"-online", "the origin has signed", "untrusted", "no officer", a.Orders(1, 7, one, online)},
		{"-altered", "another name than the one that was signed", "untrusted", "no officer", bytes.Replace(good, []byte("bad.example"), []byte("sad.example"), 1)},
		{"-other-list", "orders of another list", "untrusted", "it.example/other", other.Orders(1, 7, one, anna)},
		{"-too-many", "more entries than the root allows", "untrusted", "allows 2", a.Orders(1, 7, []string{
			"a.example expires=2026-11-23", "b.example expires=2026-11-23", "c.example expires=2026-11-23",
		}, anna)},
		{"-later", "for a release that is yet to come", "untrusted", "the newest is 7", a.Orders(1, 8, one, anna)},
		{"-last", "the last ones that there can be on top of the release", "ok", "", a.Orders(65535, 7, one, anna)},
		{"-version", "a version that does not say what they lie on", "malformed", "version 1 is none", m.sign(m.edit(good, `"version":458753`, `"version":1`), anna)},
		{
			"-version-highest", "the highest version that there is", "malformed", "is none on top of serial 7",
			m.sign(m.edit(good, `"version":458753`, `"version":9223372036854775807`), anna),
		},
		{"-twice", "the same entry twice", "malformed", "out of order", m.sign(m.edit(good, `"`+one[0]+`"`, `"`+one[0]+`","`+one[0]+`"`), anna)},
	} {
		r.Urgent = c.doc
		bundle := []byte(base64.StdEncoding.EncodeToString(a.Bundle(r)))
		m.add("orders"+c.name, c.comment, c.expect, c.says, part{"trusted/root.json", a.Roots[0]}, part{bundlePart, bundle})
	}
	r = m.agency.Release(7, "example.org")
	r.Urgent = good
	bundle := []byte(base64.StdEncoding.EncodeToString(m.agency.Bundle(r)))
	m.add("orders-not-allowed", "the root allows no orders", "untrusted", "does not allow any", m.trusted(), part{bundlePart, bundle})
}
