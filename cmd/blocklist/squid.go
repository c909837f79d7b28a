package main

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/httpfilter"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) squid() *cobra.Command {
	var in input
	var redirect string
	cmd := &cobra.Command{
		Use:   "squid FILE|DIR",
		Short: "Tell the proxy Squid what is listed, as its helper program",
		Long: `Tell the proxy Squid what is listed: as a helper for external_acl_type, or with --redirect for url_rewrite_program. Squid
starts the helper and writes one URL a line to its standard input. One process answers all requests of Squid, with or without
concurrency=. The helper takes the same files and folders as lookup. When one changes, the answers follow within 2 seconds;
Squid caches answers for ttl= and negative_ttl= of external_acl_type.

For external_acl_type, the answer OK means listed, with the list as tag= (%et in logs), and list, category and reference as
message= (%o in error pages). ERR means not listed; it has a tag if an entry with status=monitor matches. BH means that the
lookup failed (no host, or a host that no browser accepts); "http_access deny" then refuses the request.

With --redirect, requests for something listed go to the given URL, with list, category and ref as its query. If the lookup
failed, they go there without the query. While there is no list yet, the answer is BH: Squid lets such requests pass.

The URL must come unchanged: use the format %'>ru. With %URI, a # can't be told from an escaped one. For CONNECT, only host and
port are known; URL entries need http, or https that Squid decrypts (ssl_bump).`,
		Example: `  external_acl_type listed ttl=30 negative_ttl=30 concurrency=1000 children-max=1 %'>ru /usr/local/bin/blocklist squid /var/lib/lists
  acl listed external listed
  http_access deny listed

  url_rewrite_program /usr/local/bin/blocklist squid /var/lib/lists --redirect https://stop.example/
  url_rewrite_children 1 concurrency=1000`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var h squidHelper
			if cmd.Flags().Changed("redirect") {
				u, err := url.Parse(redirect)
				if err != nil || u.Host == "" {
					return usage("--redirect %q: write https://host/path", redirect)
				}
				h.redirect = u
			}
			s, err := a.openSource(cmd.Context(), &in, args[0])
			if err != nil {
				return err
			}
			defer s.end()
			h.source = s
			return untilEnd(cmd.Context(), func() error { return h.run(a.stdin, a.stdout) })
		},
	}
	in.flags(cmd, "format")
	cmd.Flags().StringVar(&redirect, "redirect", "", "the `URL` of the page that explains what is blocked: answer as url_rewrite_program")
	return cmd
}

// squidHelper answers requests of Squid, as its external_acl_type or url_rewrite_program.
type squidHelper struct {
	source   *source
	redirect *url.URL // URL of the block page for url_rewrite_program; nil for external_acl_type
}

// run answers each line of in with one line on out.
func (h squidHelper) run(in io.Reader, out io.Writer) error {
	return answerLines(in, out, func(w io.Writer, line string, err error) error {
		channel, rest := cutChannel(line)
		answer := h.unreadable("the line is too long")
		if err == nil {
			answer = h.answer(rest)
		}
		_, err = io.WriteString(w, channel+answer+"\n")
		return err
	})
}

// cutChannel splits off the channel number, with which a line begins if concurrency is on in Squid. No URL is only a
// number.
func cutChannel(line string) (channel, rest string) {
	n := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if n == 0 || n > 20 || n == len(line) || line[n] != ' ' {
		return "", line
	}
	return line[:n+1], line[n+1:]
}

// answer returns the answer to a line that begins with a URL, or, for CONNECT, with host:port.
func (h squidHelper) answer(line string) string {
	target, _, _ := strings.Cut(line, " ")
	target = strings.TrimPrefix(target, "://") // Squid 4 writes "://" before the host and port of CONNECT
	if target == "" || target == "-" {
		return h.unreadable("there is no URL")
	}
	if err := h.source.ready(); err != nil {
		return squidFailed(err.Error())
	}
	method := http.MethodGet
	if !blocklist.IsURL(target) {
		method = http.MethodConnect
	}
	m, ok, err := httpfilter.Lookup(h.source, method, target)
	switch {
	case err != nil:
		return h.unreadable(clip(err.Error()))
	case !ok:
		return "ERR"
	case h.redirect != nil && m.Monitor:
		return "ERR"
	case h.redirect != nil:
		return "OK status=302" + squidValue("url", explained(h.redirect, m))
	case m.Monitor:
		return "ERR" + squidReason(m)
	}
	return "OK" + squidReason(m)
}

// unreadable returns the answer to an invalid line: BH, Squid's word for a failure. A rewriter answers with a redirect
// instead, because Squid lets a request pass after BH.
func (h squidHelper) unreadable(why string) string {
	if h.redirect != nil {
		return "OK status=302" + squidValue("url", explained(h.redirect, blocklist.Match{}))
	}
	return squidFailed(why)
}

// explained returns the URL of the block page, with list, category and reference of a match in its query.
func explained(page *url.URL, m blocklist.Match) string {
	u, query := *page, page.Query()
	for key, value := range map[string]string{"list": m.List, "category": m.Category, "ref": m.Reference} {
		if value != "" {
			query.Set(key, clip(value))
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func squidReason(m blocklist.Match) string {
	said := slices.DeleteFunc([]string{m.List, clip(m.Category), clip(m.Reference)}, func(s string) bool { return s == "" })
	return squidValue("tag", m.List) + squidValue("message", strings.Join(said, ", "))
}

func squidFailed(why string) string { return "BH" + squidValue("message", why) }

// squidValue returns a key and its value, percent-encoded and without quotes, as Squid expects it.
func squidValue(key, value string) string {
	return " " + key + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// clip cuts a text to 256 bytes, so that an answer stays far below Squid's limit.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
