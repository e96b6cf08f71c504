// What Go's goroutines and channels cost, and an echo server on them:
//
//	bench-go OPERATION COUNT
//	bench-go echo
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

const echoBytes = 4096

func cpuNs() float64 {
	var t syscall.Timespec
	const processCPU = 2
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, processCPU, uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Nano())
}

func report(start float64, count int) {
	fmt.Printf("%.3f\n", (cpuNs()-start)/float64(count))
}

func yield(tasks, count int) {
	var group sync.WaitGroup
	start := cpuNs()
	for i := 0; i < tasks; i++ {
		group.Add(1)
		go func() {
			for k := 0; k < count/tasks; k++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	report(start, count/tasks*tasks)
}

func spawn(count int) {
	var group sync.WaitGroup
	start := cpuNs()
	for i := 0; i < count; i++ {
		group.Add(1)
		go group.Done()
		group.Wait()
	}
	report(start, count)
}

func channel(capacity, count int) {
	c := make(chan int, capacity)
	start := cpuNs()
	go func() {
		for i := 0; i < count; i++ {
			c <- i
		}
		close(c)
	}()
	for range c {
	}
	report(start, count)
}

func statusKb(field string) float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), field+":") {
			kb, _ := strconv.ParseFloat(strings.Fields(lines.Text())[1], 64)
			return kb
		}
	}
	return 0
}

func mappings() int {
	maps, _ := os.ReadFile("/proc/self/maps")
	return strings.Count(string(maps), "\n")
}

func parked(count int) {
	rss, tables := statusKb("VmRSS"), statusKb("VmPTE")
	never := make(chan bool)
	for i := 0; i < count; i++ {
		go func() {
			var frame [256]byte
			frame[i%256] = 1
			<-never
			fmt.Fprint(io.Discard, frame)
		}()
	}
	runtime.Gosched()
	fmt.Printf("%d %.1f %.1f %d %.0f\n", count, (statusKb("VmRSS")-rss)*1024/float64(count),
		(statusKb("VmPTE")-tables)*1024/float64(count), mappings(), statusKb("VmRSS"))
}

func serve(conn net.Conn) {
	buffer := make([]byte, echoBytes)
	defer conn.Close()
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func echo() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		go serve(conn)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) == 2 && os.Args[1] == "echo" {
		echo()
	}
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	count, _ := strconv.Atoi(os.Args[2])
	switch os.Args[1] {
	case "yield":
		yield(2, count)
	case "yield-1000":
		yield(1000, count)
	case "spawn":
		spawn(count)
	case "channel":
		channel(0, count)
	case "channel-1024":
		channel(1024, count)
	case "parked":
		parked(count)
	default:
		os.Exit(2)
	}
}
