//go:build linux

package guest

import (
	"bytes"
	"debug/elf"
	enc "encoding/binary"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// The canary is a process that does nothing. If a job kills or stops all processes that it may,
// as kill(-1, SIGKILL) does, it hits the canary, too. The guest then knows that the ends of the
// other jobs say nothing about them.

// canaryCode blocks all signals and waits for one: rt_sigprocmask, then pause or ppoll for
// ever.
var canaryCode = map[string][]byte{
	"amd64": {
		0x48, 0x83, 0xec, 0x10, // sub $16, %rsp
		0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, // mov $-1, %rax
		0x48, 0x89, 0x04, 0x24, // mov %rax, (%rsp)
		0x48, 0xc7, 0xc7, 0x02, 0x00, 0x00, 0x00, // mov $2 (SIG_SETMASK), %rdi
		0x48, 0x89, 0xe6, // mov %rsp, %rsi
		0x31, 0xd2, // xor %edx, %edx
		0x49, 0xc7, 0xc2, 0x08, 0x00, 0x00, 0x00, // mov $8, %r10
		0x48, 0xc7, 0xc0, 0x0e, 0x00, 0x00, 0x00, // mov $14 (rt_sigprocmask), %rax
		0x0f, 0x05, // syscall
		0x48, 0xc7, 0xc0, 0x22, 0x00, 0x00, 0x00, // 1: mov $34 (pause), %rax
		0x0f, 0x05, // syscall
		0xeb, 0xf5, // jmp 1b
	},
	"arm64": words(
		0xd10043ff, // sub sp, sp, #16
		0x92800000, // mov x0, #-1
		0xf90003e0, // str x0, [sp]
		0xb27f03e0, // mov x0, #2 (SIG_SETMASK)
		0x910003e1, // mov x1, sp
		0xaa1f03e2, // mov x2, xzr
		0xb27d03e3, // mov x3, #8
		0xd28010e8, // mov x8, #135 (rt_sigprocmask)
		0xd4000001, // svc #0
		0xaa1f03e0, // 1: mov x0, xzr
		0xaa1f03e1, // mov x1, xzr
		0xaa1f03e2, // mov x2, xzr
		0xaa1f03e3, // mov x3, xzr
		0xaa1f03e4, // mov x4, xzr
		0xd2800928, // mov x8, #73 (ppoll)
		0xd4000001, // svc #0
		0x17fffff9, // b 1b
	),
}

func words(code ...uint32) (b []byte) {
	for _, w := range code {
		b = enc.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// canaryProgram is an ELF file of one segment: elf(5).
func canaryProgram(arch string) []byte {
	const address, align = 0x400000, 0x10000
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phentsize: 56, Phnum: 1,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	h.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	h.Ehsize = uint16(enc.Size(h))
	h.Phoff = uint64(h.Ehsize)
	before := uint64(h.Ehsize) + uint64(h.Phentsize)
	h.Entry = address + before
	size := before + uint64(len(canaryCode[arch]))
	p := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: address, Paddr: address, Filesz: size, Memsz: size, Align: align,
	}
	var b bytes.Buffer
	_ = enc.Write(&b, enc.LittleEndian, h) // a Buffer takes everything
	_ = enc.Write(&b, enc.LittleEndian, p)
	b.Write(canaryCode[arch])
	return b.Bytes()
}

// memfdCreate is the number of memfd_create(2).
var memfdCreate = map[string]uintptr{"amd64": 319, "arm64": 279}[runtime.GOARCH]

// startCanary starts a canary and returns its pid. It has no tag, so it is in no job's tree.
func startCanary() (int, error) {
	const cloexec = 1
	name := [...]byte{'c', 'a', 'n', 'a', 'r', 'y', 0}
	fd, _, errno := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(&name)), cloexec, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("memfd_create", errno)
	}
	_, err := syscall.Write(int(fd), canaryProgram(runtime.GOARCH))
	// A file that is open for writing cannot be executed.
	program, openErr := syscall.Open("/proc/self/fd/"+strconv.Itoa(int(fd)), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	syscall.Close(int(fd))
	if openErr != nil {
		return 0, openErr
	}
	defer syscall.Close(program)
	if err != nil {
		return 0, err
	}
	return syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), []string{"drydock-canary"},
		&syscall.ProcAttr{Dir: "/", Sys: &syscall.SysProcAttr{Setsid: true}})
}

// endCanary ends the canary before the guest itself ends, which would otherwise take its death
// for the doing of a job.
func (a *jobs) endCanary() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.canary != 0 {
		_ = syscall.Kill(a.canary, syscall.SIGKILL)
		a.canary = 0
	}
}

// canaryDying reports whether the canary has got a SIGKILL. A kill of all processes marks each
// before the first is gone.
func (a *jobs) canaryDying() bool {
	for range 50 {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(a.canary) + "/status")
		if err != nil {
			return true
		}
		pending, _ := strconv.ParseUint(statusField(b, "SigPnd:"), 16, 64)
		const kill = 1 << (syscall.SIGKILL - 1)
		switch state := statusField(b, "State:"); {
		case pending&kill != 0 || state == "Z" || state == "X":
			return true
		case state != "R":
			return false
		}
		// A canary that runs is on its way out, or was stopped and continued: otherwise it
		// only waits.
		time.Sleep(100 * time.Microsecond)
	}
	return false
}

// statusField returns the first word after a name in /proc/PID/status.
func statusField(status []byte, name string) string {
	_, rest, _ := bytes.Cut(status, []byte("\n"+name))
	rest = bytes.TrimLeft(rest, " \t")
	if i := bytes.IndexAny(rest, " \t\n"); i >= 0 {
		rest = rest[:i]
	}
	return string(rest)
}
