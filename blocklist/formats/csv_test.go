package formats_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// A column that limits its row takes it out, or says until when it counts.
func TestColumnsThatLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		want    []string
		skipped []string
	}{
		"removed, in words of a register": {
			lines("id;domain;added;DeleteDate", "1;gone.test;2026-06-17T11:52:07;2026-06-17T17:36:41", "2;live.test;2026-07-02T10:34:29;"),
			[]string{"live.test added=2026-07-02T10:34:29Z"},
			[]string{`out of force by column "DeleteDate": 1 @ [2]`},
		},
		"a Polish register": {
			lines("PozycjaRejestru\tAdresDomeny\tDataWpisu\tDataWykreslenia", "1\tgone.test\t2020-06-17\t2020-06-18", "2\tlive.test\t2020-07-02\t"),
			[]string{"live.test added=2020-07-02"},
			[]string{`out of force by column "DataWykreslenia": 1 @ [2]`},
		},
		"the same in English": {
			lines("RegisterPositionId,DomainAddress,InsertDate,DeleteDate", "1,gone.test,2020-06-17,2020-06-18", "2,live.test,2020-07-02,"),
			[]string{"live.test added=2020-07-02"},
			[]string{`out of force by column "DeleteDate": 1 @ [2]`},
		},
		"removed, as yes or no, and by several columns": {
			lines("domain,removed,delisted_at", "a.test,no,", "b.test,yes,", "c.test,0,2020-01-01", "d.test,,unknown day", "e.test"),
			[]string{"a.test", "e.test"},
			[]string{`out of force by column "removed": 1 @ [3]`, `out of force by column "delisted_at": 2 @ [4 5]`},
		},
		"to be removed": {
			lines("domain,deleted_at,valid_until", "a.test,2999-01-01,2998-01-01", "b.test,2997-01-01,2998-01-01"),
			[]string{"a.test expires=2998-01-01", "b.test expires=2997-01-01"},
			nil,
		},
		"words and days for nothing": {
			lines("domain,removed_at,expires", "a.test,n/a,-", "b.test,0000-00-00,null", "c.test,NULL,0000-00-00 00:00:00"),
			[]string{"a.test", "b.test", "c.test"},
			nil,
		},
		"active": {
			lines("domain,active", "a.test,1", "b.test,false", "c.test,Yes", "d.test,TRUE", "e.test,y", "f.test,perhaps", "g.test,2020-01-01", "h.test,2999-01-01"),
			[]string{"a.test", "c.test", "d.test", "e.test", "g.test"},
			[]string{`out of force by column "active": 2 @ [3 9]`, `column "active" says neither yes nor no: 1 @ [7]`},
		},
		"status": {
			lines("domain,status", "a.test,active", "b.test,Removed", "c.test,blocked", "d.test,monitor", "e.test,listed"),
			[]string{"a.test", "c.test", "d.test status=monitor", "e.test"},
			[]string{`out of force by status "removed": 1 @ [3]`},
		},
		"from a day on": {
			lines("domain,valid_from", "a.test,2020-01-01", "b.test,2999-01-01", "c.test,"),
			[]string{"a.test", "c.test"},
			[]string{`out of force by column "valid_from": 1 @ [3]`},
		},
		"a first column without a value": {lines("note\tdomain", "\ta.test", "x\tb.test"), []string{"a.test", "b.test"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			entries, skipped, err := read(t, tt.text, formats.Options{})
			require.NoError(t, err)
			assert.Equal(t, tt.want, entries)
			assert.Equal(t, tt.skipped, skipped)
		})
	}
}

// A table with a column that may limit its rows in a way that is not known is refused, and the column named.
func TestUnknownLimit(t *testing.T) {
	for _, column := range []string{
		"removal_reason", "Data usuniecia (wykreslenie)", "data rimozione", "until when", "Löschdatum", "date de suppression", "fecha_baja", "дата исключения", "kaldırıldı",
	} {
		_, _, err := read(t, lines("domain,"+column, "a.test,x", "b.test,x"), formats.Options{})
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, `column "`+column+`" is not known and may say that a row counts no more`)
	}
}

// A column in words that no one here knows may limit its rows if it has a day in some of them, or says so.
func TestColumnInOtherWords(t *testing.T) {
	for name, text := range map[string]string{
		"a day in some rows":           lines("domain,kumutud", "a.test,", "b.test,2020-01-01"),
		"day first":                    lines("domain;kumutud", "a.test;-", "b.test;1.2.2020"),
		"with a time, and a row short": lines("domain,x,kumutud", "b.test,,2020/01/01 10:00", "a.test"),
		"a word":                       lines("domain,verdict", "a.test,listed", "b.test,Removed"),
		"far down":                     "domain,kumutud\n" + rows(20000, "a%.test,") + "b.test,2020-01-01\n",
	} {
		_, _, err := read(t, text, formats.Options{})
		require.ErrorIs(t, err, blocklist.ErrMalformed, name)
		assert.ErrorContains(t, err, "is not known and may say that a row counts no more (line", name)
	}
	for _, text := range []string{
		lines("domain,kuupäev", "a.test,2020-01-01", "b.test,2021-01-01"), lines("domain,last_online", "a.test,2020-01-01", "b.test,"),
		lines("domain,version", "a.test,1.2.3", "b.test,", "b.test,192.0.2.1"),
	} {
		entries, _, err := read(t, text, formats.Options{})
		require.NoError(t, err)
		assert.Equal(t, "b.test", entries[1])
	}
}

// Every row and part of a row that does not become an entry is counted with its line.
func TestPartsOfRowsAreCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		want    []string
		skipped []string
	}{
		"cncpo, both pairs": {
			lines("7;20260511", ";;http://192.0.2.7/;192.0.2.7", "http://e.test/x;e.test;http://192.0.2.8/;192.0.2.8", "http://f.test/;f.test;;", ";g.test;;192.0.2.9"),
			[]string{"192.0.2.7", "https://e.test/x", "f.test", "g.test"},
			[]string{"address beside a name or URL, not listed: 2 @ [3 5]"},
		},
		"cncpo, a quotation mark": {
			lines("7;20260511", `http://a.test/x"y;a.test;;`) + rows(4, ";b%.test;;"),
			[]string{"b1.test", "b2.test", "b3.test", "b4.test"},
			[]string{"quotation mark out of place: 1 @ [2]"},
		},
		"csv, a separator within a field": {
			lines("url,category", "https://a.test/x,y,z") + rows(4, "https://b.test/%,z"),
			[]string{"https://b.test/1", "https://b.test/2", "https://b.test/3", "https://b.test/4"},
			[]string{"row with more fields than the header: 1 @ [2]"},
		},
		"csv, an address beside a name": {
			lines("domain,ip", "a.test,192.0.2.1", ",192.0.2.2"), []string{"a.test", "192.0.2.2"}, []string{"address beside a name or URL, not listed: 1 @ [2]"},
		},
		"rpz, the zone itself": {
			lines("@ SOA a. b. 1 2 3 4 5", "@ NS a.", ". CNAME .") + rows(4, "b%.test CNAME ."),
			[]string{"=b1.test", "=b2.test", "=b3.test", "=b4.test"},
			[]string{"rule for the zone itself, not for a name: 1 @ [3]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries, skipped, err := read(t, tt.text, formats.Options{})
			require.NoError(t, err)
			for i := range entries {
				entries[i] = targetOf(t, entries[i])
			}
			assert.Equal(t, tt.want, entries)
			assert.Equal(t, tt.skipped, skipped)
		})
	}
}

func targetOf(t *testing.T, line string) string {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e.Target()
}
