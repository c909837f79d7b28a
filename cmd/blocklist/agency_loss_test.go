package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/stretchr/testify/require"
)

// renewRoot makes a root with a new expiry, and the next release brings it to the origin.
func (a *agency) renewRoot() {
	a.t.Helper()
	a.ledger(0, "root", "--reason", "as each year")
	a.signRoot(2, a.two()...)
	a.head = a.newest()
	a.publishNow()
}

// publishNow adds an entry and publishes until there is a release.
func (a *agency) publishNow() {
	a.t.Helper()
	a.names++
	a.add(fmt.Sprintf("now%d.example", a.names), modelOrder{ref: "now"})
	for !a.publish() {
	}
	a.compare("current")
}

// backup writes a backup.
func (a *agency) backup() []byte {
	a.t.Helper()
	a.ledger(0, "backup", "-o", a.path("hq", "backup.tar"))
	content, err := os.ReadFile(a.path("hq", "backup.tar"))
	require.NoError(a.t, err)
	return content
}

// loseLedger loses the ledger after a release and while an urgent order is in force: what is restored is old, has one
// more order, and recovers.
func (a *agency) loseLedger(backup []byte, saved *book, savedSerial uint64) {
	a.t.Helper()
	a.publishNow()
	a.orderUrgently()
	a.checkHistory(3)
	require.NoError(a.t, os.Rename(a.path("hq", "DIR"), a.path("hq", "LOST")))
	a.unpack(backup, "hq/DIR")
	a.head = a.newest()
	lost, serial := a.released, a.serial
	a.book = saved
	a.ledger(0, "verify")
	a.add("beyond.example", modelOrder{ref: "beyond", expires: "2098-05-01"})
	a.ledger(0, "release")
	a.request()
	for _, name := range a.officers {
		if a.seen[name] > savedSerial {
			a.sign(exitRefused, name) // it is a serial that was signed, or an older one
		}
	}
	require.Contains(a.t, a.ledger(0, "status", a.origin(), "--json"), `"state":"newer"`)
	a.run(0, append([]string{
		"recover", a.origin(), a.path("hq", "DIR"), "--root", a.path("rare", "root.json"), "--reason", "restored",
	}, a.identity("current", "isp.age")...)...)
	a.recovered(lost, serial)
	a.compareRestored()
}

// recovered brings the book to the state after the recovery: the release, and the order beyond it once more.
func (a *agency) recovered(lost state, serial uint64) {
	a.t.Helper()
	var o struct {
		ID        int64
		Reference string
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.ledger(0, "log", "--kind", "recover", "--json")), &o))
	a.book.record(a.book.recovered(lost), event{id: o.ID, author: "desk", ref: o.Reference, serial: serial})
	next := a.book.orders.clone()
	next.add("beyond.example", modelOrder{ref: "beyond", expires: "2098-05-01"})
	a.book.record(next, event{id: o.ID + 1, author: "desk", ref: "beyond"})
	a.head = a.newest()
	a.book.changes, a.rekeyed = nil, false
}

// compareRestored compares a ledger that has recovered, and subscribers who have seen nothing of it.
func (a *agency) compareRestored() {
	a.t.Helper()
	a.compare("current")
	a.compare("rare")
	a.checkHistory(3)
	a.orderAfterLoss()
	a.publishNow()
}

// orderAfterLoss has an officer sign an urgent order while another one is in force that the restored ledger does not
// know. So both have the same number: the officer of the first refuses, and so does the origin, from which the ledger
// takes it. The next one has both.
func (a *agency) orderAfterLoss() {
	a.t.Helper()
	a.requestOrder()
	a.sign(exitRefused, a.orderedBy)
	others := slices.DeleteFunc(slices.Clone(a.officers), func(name string) bool { return name == a.orderedBy })
	a.ledger(0, "sign", "--signature", a.sign(exitDone, others[0]))
	a.ledger(exitRefused, "urgent", "push", a.origin())
	a.pushOrder(a.requestOrder(), others[0])
}

// loseOfficer loses carla's key: dora comes, as the two who remain sign.
func (a *agency) loseOfficer() {
	a.t.Helper()
	require.NoError(a.t, os.RemoveAll(a.path("carla")))
	dora := a.newOfficer("dora")
	a.at("hq")
	a.ledger(0, "root", "--add-officer", dora, "--remove-officer", "carla", "--reason", "the key of carla is lost")
	a.signRoot(3, "bruno", "anna")
	a.officers = []string{"anna", "bruno", "dora"}
	a.pass("rare/root.json", "dora/root.json") // an older root: carla may have signed the newest release
	a.head = a.newest()
	a.publishNow()
}
