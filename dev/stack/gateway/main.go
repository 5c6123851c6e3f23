// The database gateway: the MongoDB protocol on loopback in front of PostgreSQL with DocumentDB.
// FerretDB's own command refuses to start without a generated version file; the embeddable package
// does not need one.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: fit-gateway LISTEN_ADDRESS POSTGRESQL_URL STATE_FOLDER")
		os.Exit(2)
	}
	telemetry := false
	gateway, err := ferretdb.New(&ferretdb.Config{
		ListenAddr: os.Args[1], PostgreSQLURL: os.Args[2], StateDir: os.Args[3],
		LogLevel: slog.LevelWarn, LogOutput: os.Stderr, Telemetry: &telemetry,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	gateway.Run(ctx)
}
