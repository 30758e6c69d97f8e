using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>The memory that a process may still have, read from file systems made up for it.</summary>
public sealed class MachineRoomTests : IDisposable
{
    private const double Kibi = 1024, Gibi = Kibi * Kibi * Kibi;

    private readonly TemporaryFolder _root = new(inMemory: true);

    public void Dispose() => _root.Dispose();

    [Fact]
    public void TheSystemTellsWhatItHasToSpare()
    {
        Assert.Null(MachineRoom.FreeMemory(_root.Path));
        _root.Write("proc/meminfo", "MemTotal:       23789012 kB\nMemFree:          123456 kB\nMemAvailable:   20971520 kB\n");
        Assert.Equal(20 * Gibi, MachineRoom.FreeMemory(_root.Path));
    }

    /// <summary>Version 2: the least that any group on the way up leaves; page cache can be given back.</summary>
    [Theory]
    [InlineData("max", "max", 20.0)]
    [InlineData("8589934592", "max", 6.5)]
    [InlineData("8589934592", "6442450944", 5.0)]
    [InlineData("1073741824", "max", 0.0)]
    public void AGroupMayLeaveLess(string own, string above, double expected)
    {
        _root.Write("proc/meminfo", "MemAvailable:   20971520 kB\n");
        _root.Write("proc/self/cgroup", "0::/batch/job\n");
        Group("sys/fs/cgroup/batch/job", own, used: 2 * Gibi, cache: 0.5 * Gibi);
        Group("sys/fs/cgroup/batch", above, used: 2 * Gibi, cache: 1 * Gibi);
        Assert.Equal(expected * Gibi, MachineRoom.FreeMemory(_root.Path));
    }

    /// <summary>In a container the path is often that of the host, and the group's files lie at the mount itself.</summary>
    [Fact]
    public void AContainerSeesItsOwnGroupAsTheRoot()
    {
        _root.Write("proc/meminfo", "MemAvailable:   20971520 kB\n");
        _root.Write("proc/self/cgroup", "0::/system.slice/docker-12.scope\n");
        Group("sys/fs/cgroup", "4294967296", used: 1 * Gibi, cache: 0);
        Assert.Equal(3 * Gibi, MachineRoom.FreeMemory(_root.Path));
    }

    [Fact]
    public void TheFirstVersionIsReadToo()
    {
        _root.Write("proc/meminfo", "MemAvailable:   20971520 kB\n");
        _root.Write("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/job\n0::/\n");
        _root.Write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "4294967296\n");
        _root.Write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "2147483648\n");
        _root.Write("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 5\ntotal_inactive_file 1073741824\n");
        _root.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        _root.Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "2147483648\n");
        Assert.Equal(3 * Gibi, MachineRoom.FreeMemory(_root.Path));
    }

    [Fact]
    public void ADiskHasRoomForAFolderThatIsNotThereYet()
    {
        double? free = MachineRoom.FreeDisk(_root.File("a/b/c"));
        Assert.NotNull(free);
        Assert.Equal(new DriveInfo(_root.Path).AvailableFreeSpace, free.Value, 64e6);
        Assert.False(Directory.Exists(_root.File("a")));
    }

    private void Group(string path, string limit, double used, double cache)
    {
        _root.Write($"{path}/memory.max", limit + "\n");
        _root.Write($"{path}/memory.current", $"{used:F0}\n");
        _root.Write($"{path}/memory.stat", $"anon 17\ninactive_file {cache:F0}\nfile 3\n");
    }
}
