package dnsfilter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/testdata/longtest"
)

const feed = blocklist.Name("\x04feed\x07example\x00")

func soaOf(serial int) string {
	return fmt.Sprintf("feed.example. 60 IN SOA ns.example. mail.example. %d 60 30 3600 60\n", serial)
}

// randomRecord returns a record about a few names and addresses, so that names are above others, and owners have
// several records.
func randomRecord(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	name := pick("", "*.") + pick("", "", "a.", "b.", "a.b.", "b.a.", "*.a.") + pick("x", "y", "z") + pick("", ".test")
	action := pick("CNAME .", "CNAME .", "CNAME .", "CNAME *.", "CNAME rpz-passthru.", "CNAME rpz-drop.", "CNAME garden.example.",
		"A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", `TXT "x;y"`)
	owner := pick(name, name, name, name, name+".rpz-nsdname", "32.1.2.0.192.rpz-ip", "24.0.2.0.192.rpz-ip", "48.zz.7.db8.2001.rpz-ip",
		"32.9.2.0.192.rpz-client-ip", "24.0.2.0.192.rpz-nsip")
	return owner + ".feed.example. " + pick("60", "300") + " IN " + action + "\n"
}

// contradicts reports whether one owner can't have a record beside others, or has it with another TTL.
func contradicts(records map[string]bool, record string) bool {
	parts := strings.SplitN(record, " ", 4) // owner, TTL, class, the rest
	for other := range records {
		o := strings.SplitN(other, " ", 4)
		if o[0] == parts[0] && (o[3] == parts[3] || strings.HasPrefix(o[3]+parts[3], "CNAME") || strings.Contains(parts[3], "CNAME")) {
			return true
		}
	}
	return false
}

// meaning is what the rules of a zone say about names and addresses.
func (z *zoneRules) meaning() (all []string) {
	say := func(what any, rule zoneRule) {
		var records []string // in any order
		for _, r := range z.records(rule) {
			records = append(records, fmt.Sprint(r))
		}
		slices.Sort(records)
		all = append(all, fmt.Sprint(what, min(rule, localRule), records))
	}
	for i, table := range []*nameTable{&z.names, &z.servers} {
		for _, prefix := range []string{"", "a.", "b.", "a.b.", "b.a.", "c.", "a.c.", "c.a.b."} {
			for _, suffix := range []string{"x", "y", "z", "x.test", "y.test", "z.test", "test", "w", "w.test"} {
				name, _ := blocklist.ParseName(prefix + suffix)
				rule, node, below := table.find([]byte(name))
				say(fmt.Sprint(i, name, " ", below), rule)
				if rule != noRule {
					all = append(all, fmt.Sprintf("%q", table.name(node)))
				}
			}
		}
	}
	for _, table := range []*prefixTable{&z.clients, &z.answers, &z.serverIPs} {
		for _, text := range []string{"192.0.2.1", "192.0.2.7", "192.0.2.9", "198.51.100.1", "2001:db8:7::1", "2001:db8:8::1"} {
			rule, prefix := table.find(netip.MustParseAddr(text))
			say(text+prefix.String(), rule)
		}
	}
	return append(all, fmt.Sprint(z.counts))
}

// TestPolicyZoneChangeAndTTL: an action is removed whatever the TTL of its record, local data only with its own.
func TestPolicyZoneChangeAndTTL(t *testing.T) {
	t.Parallel()
	for record, fits := range map[string]bool{
		"a.feed.example. 60 IN CNAME .\n": true, "a.feed.example. 300 IN CNAME .\n": true, "b.feed.example. 300 IN CNAME .\n": false,
		"l.feed.example. 60 IN A 192.0.2.1\n": true, "l.feed.example. 300 IN A 192.0.2.1\n": false,
	} {
		z := NewPolicyZone(feed)
		report, err := z.Read(strings.NewReader(soaOf(1) + "a.feed.example. 60 IN CNAME .\nl.feed.example. 60 IN A 192.0.2.1\n"))
		require.NoError(t, err)
		c, err := z.Change(strings.NewReader(soaOf(2)+soaOf(1)+record+soaOf(2)), report)
		if !fits {
			require.ErrorIs(t, err, blocklist.ErrMalformed, record)
			continue
		}
		require.NoError(t, err, record)
		assert.Equal(t, 1, c.Report.Rules, record)
	}
}

// TestMemoryOfRemovedRules is bounded by the text of the changes, and freed when the zone is read as a whole.
func TestMemoryOfRemovedRules(t *testing.T) {
	t.Parallel()
	z := NewPolicyZone(feed)
	report, err := z.Read(strings.NewReader(soaOf(1)))
	require.NoError(t, err)
	var journal strings.Builder
	for serial := 2; serial < 500; serial++ {
		text := soaOf(serial-1) + fmt.Sprintf("n%d.feed.example. 60 IN CNAME .\nl.feed.example. 60 IN TXT %[1]d\n", serial-1)
		if serial == 2 {
			text = soaOf(1)
		}
		text += soaOf(serial) + fmt.Sprintf("n%d.feed.example. 60 IN CNAME .\nl.feed.example. 60 IN TXT %[1]d\n", serial)
		journal.WriteString(text)
		c, err := z.Change(strings.NewReader(soaOf(serial)+text), report)
		require.NoError(t, err)
		c.Adopt()
		report = c.Report
	}
	size := func() int {
		rules := z.current.Load()
		n := len(rules.names.names) + len(rules.names.nodes)*int(unsafe.Sizeof(nameNode{})) + 4*len(rules.names.slots)
		for _, records := range rules.local {
			for _, r := range records {
				n += int(unsafe.Sizeof(r)) + len(r.data)
			}
		}
		return n
	}
	assert.Less(t, size(), journal.Len())
	_, err = z.Read(strings.NewReader(soaOf(500)))
	require.NoError(t, err)
	assert.Less(t, size(), 200)
}

// TestPolicyZoneChange: changes lead to the rules that reading the zone as a whole gives, and the guards are shown the
// same.
func TestPolicyZoneChange(t *testing.T) {
	t.Parallel()
	changed, refused := 0, 0
	for seed := range uint64(longtest.Rounds(5, 300)) {
		r := rand.New(rand.NewPCG(seed, 1))
		records := map[string]bool{}
		whole := func(serial int) (*PolicyZone, ZoneReport) {
			z := NewPolicyZone(feed)
			report, err := z.Read(strings.NewReader(soaOf(serial) + strings.Join(slices.Sorted(maps.Keys(records)), "")))
			require.NoError(t, err)
			return z, report
		}
		for range r.IntN(20) {
			if record := randomRecord(r); !contradicts(records, record) {
				records[record] = true
			}
		}
		z, report := whole(1)
		for serial := 2; serial < 40; serial++ {
			before := z.current.Load().meaning()
			text := soaOf(serial) + soaOf(serial-1)
			var added strings.Builder
			for range 1 + r.IntN(3) {
				record := randomRecord(r)
				if r.IntN(2) == 0 && len(records) > 0 {
					record = slices.Sorted(maps.Keys(records))[r.IntN(len(records))]
				}
				switch {
				case strings.Contains(text+added.String(), record):
				case !records[record] && r.IntN(30) > 0 && contradicts(records, record):
				case records[record]:
					delete(records, record)
					text += record
				default:
					records[record] = true
					added.WriteString(record)
				}
			}
			text += soaOf(serial) + added.String()
			want, wantReport := whole(serial)
			c, err := z.Change(strings.NewReader(text), report)
			require.Equal(t, before, z.current.Load().meaning(), "the zone itself stays as it was")
			if err != nil {
				require.ErrorIs(t, err, blocklist.ErrMalformed)
				require.True(t, z.current.Load().unclear || want.current.Load().unclear, "%d: %v: %s", seed, err, text)
				refused++
				z, report = want, wantReport
				continue
			}
			changed++
			reviews := [2][]string{}
			note := func(i int) func(blocklist.Entry) {
				return func(e blocklist.Entry) { reviews[i] = append(reviews[i], e.Target()+e.Scope.String()) }
			}
			require.Equal(t, want.Review(z, note(0)), c.Review(note(1)), text)
			for _, all := range reviews {
				slices.Sort(all)
			}
			require.Equal(t, reviews[0], reviews[1], text)
			c.Adopt()
			report = c.Report
			require.Equal(t, wantReport, report, text)
			require.Equal(t, want.current.Load().meaning(), z.current.Load().meaning(), "%d: %s", seed, text)
		}
	}
	t.Log(changed, "changes,", refused, "that need the whole zone")
	assert.Greater(t, changed, 2*refused)
}

// FuzzPolicyZoneChange applies changes, and takes them back.
func FuzzPolicyZoneChange(f *testing.F) {
	f.Add("a CNAME .\nb.c A 192.0.2.1\n", "a CNAME .\n", "*.c A 192.0.2.1\nb.c A 192.0.2.2\n")
	f.Add("24.0.2.0.192.rpz-ip CNAME *.\n", "24.0.2.0.192.rpz-ip CNAME *.\n", "24.0.2.0.192.rpz-ip 60 TXT \"x\"\nns.d.rpz-nsdname CNAME .\n")
	f.Fuzz(func(t *testing.T, text, removed, added string) {
		z := NewPolicyZone(feed)
		report, err := z.Read(strings.NewReader(soaOf(1) + text))
		if err != nil || strings.ContainsAny(removed+added, "$(") || strings.Contains(strings.ToUpper(removed+added), "SOA") ||
			report.Serial != 1 {
			return
		}
		first := z.current.Load()
		c, err := z.Change(strings.NewReader(soaOf(2)+soaOf(1)+removed+"\n"+soaOf(2)+added+"\n"), report)
		if err != nil || strings.HasPrefix(removed, " ") || strings.HasPrefix(added, " ") || strings.HasPrefix(removed, "\t") ||
			strings.HasPrefix(added, "\t") {
			return
		}
		c.Adopt()
		c, err = z.Change(strings.NewReader(soaOf(1)+soaOf(2)+added+"\n"+soaOf(1)+removed+"\n"), c.Report)
		require.NoError(t, err)
		c.Adopt()
		assert.Equal(t, report, c.Report)
		assert.Equal(t, first.meaning(), z.current.Load().meaning())
		before := &PolicyZone{name: feed}
		before.current.Store(first)
		assert.Zero(t, z.Review(before, func(e blocklist.Entry) { t.Errorf("%v is blocked", e) }))
		assert.Zero(t, before.Review(z, func(e blocklist.Entry) { t.Errorf("%v was blocked", e) }))
	})
}
