package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLosses(t *testing.T) {
	t.Parallel()
	const lists = "lists:\n  - {name: a, file: a}\n  - {name: b, file: b, action: monitor, categories: {x: nodata}}\n  - {name: c, file: c, divert: [192.0.2.1]}\n"
	const quorum = "quorum: [{lists: [a, b, c], at_least: 2}]\n"
	const view = "views: [{clients: [192.0.2.0/24], actions: {a: refused, b: monitor}}, {clients: [192.0.2.0/28], lists: [a]}]\n"
	const clients = "clients: [192.0.2.0/24, 2001:db8::/32]\n"
	for _, c := range []struct {
		name, old, next string
		want            []string
	}{
		{"the same", clients + lists + quorum + view, view + quorum + lists + clients, nil},
		{"more", lists, lists + "  - {name: d, file: d}\nallow: [x]\nclients: [0.0.0.0/0, '::/0']\nguard: {protected: [p]}\n", nil},
		{"another way to block", lists, strings.Replace(lists, "file: a}", "file: a, action: refused, ede: none}", 1), nil},
		{"a cut file", clients + lists, clients, []string{"list a", "list b", "list c", "key lists", "action nxdomain of list a", "category x of list b", "divert of list c", "action nxdomain of list c"}},
		{"a list", lists, lists[:strings.Index(lists, "  - {name: c")], []string{"list c", "divert of list c", "action nxdomain of list c"}},
		{"an action", lists, strings.Replace(lists, "file: a}", "file: a, action: monitor}", 1), []string{"action nxdomain of list a"}},
		{"a category", lists, strings.Replace(lists, "x: nodata", "x: pass", 1), []string{"category x of list b"}},
		{"all categories", lists, strings.Replace(lists, ", categories: {x: nodata}", "", 1), []string{"category x of list b"}},
		{"a category that passes", lists, strings.Replace(lists, "file: a}", "file: a, categories: {y: pass}}", 1), []string{"category y of list a"}},
		{"a proxy", lists, strings.Replace(lists, ", divert: [192.0.2.1]", "", 1), []string{"divert of list c"}},
		{"a quorum", lists + quorum, lists, []string{"key quorum", "quorum of a, b, c"}},
		{"a quorum of more", lists + quorum, lists + strings.Replace(quorum, "2", "3", 1), []string{"quorum of a, b, c"}},
		{"a quorum of less", lists + quorum, lists + strings.Replace(quorum, "2", "1", 1), nil},
		{"lists that act in a quorum only", lists, lists + quorum, []string{"action nxdomain of list a", "action nxdomain of list c"}},
		{"a view that blocks less", lists + clients, lists + clients + "views: [{clients: [192.0.2.0/25], actions: {a: monitor}}]\n", []string{"action nxdomain of list a for 192.0.2.0/25"}},
		{"views", lists + view + clients, lists + strings.Replace(view, "a: refused, ", "a: monitor, ", 1) + clients, []string{"action refused of list a for 192.0.2.0/24"}},
		{"clients", lists + clients, lists + "clients: [192.0.2.0/25]\n", []string{"service for 192.0.2.0/24", "service for 2001:db8::/32"}},
		{"allow files and guards", "allow: [x, y]\nguard: {protected: [p], popular: [q]}\n", "allow: [y]\nguard: {popular: [q]}\n", []string{"allow file /x", "guard file /p"}},
		{"zones", "forward: {a.example: [192.0.2.1], b.example: [192.0.2.1]}\ncanaries: {mask.icloud.com: nodata, mask-h2.icloud.com: nodata}\n", "forward: {b.example: [192.0.2.2]}\ncanaries: {mask.icloud.com: nxdomain}\n", []string{"forward zone a.example", "canary name mask-h2.icloud.com"}},
		{"a policy zone", "lists: [{name: z, rpz: z.example, file: z}]\n", "lists: [{name: z, file: z, action: monitor}]\n", []string{"policy zone of list z"}},
		{"a policy zone that is overridden", "lists: [{name: z, rpz: z.example, file: z}]\n", "lists: [{name: z, rpz: z.example, file: z, action: nodata}]\n", nil},
		{"a policy zone that is over TCP", "lists: [{name: z, rpz: z.example, file: z}]\n", "lists: [{name: z, rpz: z.example, file: z, action: tcp-only}]\n", nil},
		{"a policy zone that lets pass", "lists: [{name: z, rpz: z.example, file: z}]\n", "lists: [{name: z, rpz: z.example, file: z, action: passthru}]\n", []string{"policy zone of list z"}},
		{"a policy zone on trial", "lists: [{name: z, rpz: z.example, file: z}]\n", "lists: [{name: z, rpz: z.example, file: z, action: monitor}]\n", []string{"policy zone of list z"}},
		{"other keys", "rate_limit: {per_second: 5}\nmetrics: 127.0.0.1:1\n", "cache: 1MiB\n", []string{"key metrics", "key rate_limit"}},
	} {
		read := func(text string) *Settings {
			s, err := parseSettings("/dnsfilter.yaml", []byte(text))
			require.NoError(t, err, c.name)
			return s
		}
		assert.ElementsMatch(t, c.want, read(c.old).Losses(read(c.next)), c.name)
	}
}
