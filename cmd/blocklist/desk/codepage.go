package desk

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// codePage is the page about a one-time code. It shows the code and whether it was used.
type codePage struct {
	code
	Over         bool              // whether the code has expired
	Gone         bool              // whether the document for which the code was made is no longer pending
	Root         *publish.RootInfo // root in force, which officers' terminals need; nil: none
	Confidential bool
	Another      bool // whether the code was used and another officer can sign with another code
	// Recipients has the age recipients for which this code was made. They are the default for another code.
	Recipients string
	Officers   []officer
	Keys       []string // names of the key files of officers who have not signed yet
	Enough     bool     // whether the document is a release with enough signatures
	Ends       *endingOrders
	Unpushed   bool // whether the urgent orders are signed, but were not pushed yet
	Push       push
	Refusals   []publish.Refusal
	Back       string
}

// makeCode makes a one-time code for an officer's terminal, and redirects to its page.
func (v *visit) makeCode() error {
	asked, err := v.asked()
	if err != nil {
		return err
	}
	if err := writeRequest(v.r.Context(), io.Discard, v.ledger, asked, v.recipients()); err != nil {
		return err // rather here than in the officer's terminal
	}
	id, err := asked.ID()
	if err != nil {
		return err
	}
	made := v.codes.add(code{
		Urgent: asked.Number > 0, At: v.address(), what: asked.What(), id: id,
		recipients: v.recipients(), author: v.person.Name,
	})
	return v.redirect(made.Path(), url.Values{ownQuery: {"1"}})
}

// isOrigin matches the base URL of a web server in the form of the header Origin. It allows no characters that a shell
// would interpret.
var isOrigin = regexp.MustCompile(`^https?://[a-zA-Z0-9.:\[\]-]+$`)

// address returns the base URL of this desk as the person's browser knows it. Behind a proxy, it is not the address at
// which the desk listens.
func (v *visit) address() string {
	if origin := v.r.Header.Get("Origin"); isOrigin.MatchString(origin) {
		return origin
	}
	if v.sessions != nil {
		return "http://" + v.r.Host
	}
	return "https://" + v.r.Host
}

// code shows the page of a one-time code. Only the person who made the code can see it.
func (v *visit) code() error {
	one, err := v.codes.of(v.r.PathValue("id"), v.person.Name)
	if err != nil {
		return err
	}
	p := codePage{code: one, Over: time.Now().After(one.Until), Root: v.now.Root, Confidential: v.now.confidential}
	p.Back, p.Refusals = signaturesOf(one.Urgent), v.now.refused(one.Urgent)
	waiting := v.now.Pending
	if one.Urgent {
		waiting = v.now.Ordered
	}
	if p.Gone = !one.isFor(waiting); !p.Gone {
		p.Officers = officers(&waiting.Signatures)
		p.Keys = keyFiles(waiting)
		p.Another, p.Recipients = one.Used && len(p.Keys) > 0 && !waiting.Enough(), strings.Join(one.recipients, "\n")
		p.Enough, p.Push = waiting.IsRelease() && waiting.Enough(), v.pushing(false)
	}
	if p.Enough {
		if p.Ends, err = v.endingWith(waiting); err != nil {
			return err
		}
	}
	if now := v.now.Urgent; one.Urgent && one.Signer != "" && now != nil && !now.Pushed {
		p.Unpushed, p.Push = true, v.pushing(true)
	}
	err = v.show("code", "code.title", p)
	if err == nil {
		v.answer.lasts = clockFor
	}
	return err
}

// plainName matches a name that can be part of a file name and needs no quotes in a shell.
var plainName = regexp.MustCompile(`^[\pL\pN][\pL\pN._-]*$`)

// keyFiles returns the default file names of the keys of officers who have not signed yet, as "blocklist keygen" makes
// them.
func keyFiles(p *publish.Pending) (all []string) {
	missing := slices.Clone(p.Missing)
	if p.Before != nil {
		missing = append(missing, p.Before.Missing...)
	}
	slices.Sort(missing)
	for _, name := range slices.Compact(missing) {
		if !plainName.MatchString(name) {
			name = "OFFICER"
		}
		all = append(all, name+".key")
	}
	return slices.Compact(all)
}

// root sends the list's root as a file; officers' terminals need it.
func (v *visit) root() error {
	text, err := os.ReadFile(filepath.Join(v.Dir, "root.json"))
	if err != nil {
		return errNoPage
	}
	v.give(&answer{http.StatusOK, http.Header{
		"Content-Type": {"application/json"}, "Content-Disposition": {`attachment; filename="root.json"`},
	}, text, fresh})
	return nil
}
