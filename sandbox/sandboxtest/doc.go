// Package sandboxtest gives tests sandboxes that end with them, and the services that what
// is tested needs, such as a database, each in a container of its own.
//
//	func TestReport(t *testing.T) {
//		network := sandboxtest.NewNetwork(t, nil)
//		db := sandboxtest.Run(t, "redis:7-alpine", &sandboxtest.ServiceOptions{
//			Options: sandbox.Options{Network: network},
//			Wait:    []sandboxtest.Wait{sandboxtest.ForCommand("redis-cli", "ping")},
//		})
//		sb := sandboxtest.New(t, &sandboxtest.Options{Options: sandbox.Options{
//			Runtime: "python-minimal",
//			Network: network,
//			Env:     map[string]string{"REDIS": db.Name() + ":6379"},
//		}})
//		// sb reaches the service by its name, and the test by Dial or Addr:
//		client := redis.NewClient(&redis.Options{Addr: db.Addr(6379)})
//		...
//	}
//
// Where there is no container engine a test is skipped, or fails if the caller says so with
// Require or the environment with DRYDOCK_TEST_ENGINE. Containers and networks are named
// after the test and end with it, also where the test's process is killed: containers then
// end by themselves, networks are removed by the next process that opens a sandbox. When a
// test fails, its log has what the background jobs of its sandboxes have printed.
//
// # Services
//
// A service is a sandbox as well: the image's ENTRYPOINT and CMD are its first background
// job, and no port is published. Unlike other sandboxes it has a writable root file system
// and the image's own user, which often is root, but as they all do no capabilities and no
// way to get any. Its program starts in the image's WORKDIR; the work dir of the sandbox, where
// relative names of WriteFile start, is another, for a mount would hide what the image has
// there: write to a service's files by absolute names. An image that begins as root to become
// another user needs to be told: with Options.User "postgres" that of PostgreSQL starts as
// that one.
//
// # What it does not do
//
// A service that was killed is not started again. Its health check is a way to wait for it,
// and does not run on.
package sandboxtest
