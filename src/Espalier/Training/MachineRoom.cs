using System.Globalization;

namespace Espalier.Training;

/// <summary>The memory, the disk and the processors that a machine has to spare.</summary>
internal static class MachineRoom
{
    /// <summary>
    /// The bytes of memory that this process could still have: what the system has to spare, or less where a control group, such as a
    /// container's or a batch system's, allows less; null where the system does not tell.
    /// </summary>
    /// <param name="root">The root of the file system.</param>
    public static double? FreeMemory(string root = "/")
    {
        double[] bounds = [.. OfSystem(root), .. OfGroups(root)];
        return bounds.Length > 0 ? Math.Max(0, bounds.Min()) : null;
    }

    /// <summary>The bytes that a folder, which need not exist yet, could still take; null where the system does not tell.</summary>
    public static double? FreeDisk(string folder)
    {
        string? existing = Path.GetFullPath(folder);
        while (existing is not null && !Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing);
        }

        try
        {
            return existing is null ? null : new DriveInfo(existing).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>How many processors the machine has, and how many threads of other programs want one now; null where the system does not tell.</summary>
    /// <param name="root">The root of the file system.</param>
    public static ProcessorUse? Processors(string root = "/")
    {
        // Now rather than the load average, in which a run that has just ended is still seen: the median of a tenth of a second.
        const int Looks = 5, Pause = 20;
        var running = new double[Looks];
        int processors = 0;
        for (int i = 0; i < Looks; i++)
        {
            string[] lines = Lines(root, "proc/stat");
            processors = lines.Count(line => line.StartsWith("cpu", StringComparison.Ordinal) && char.IsAsciiDigit(line.ElementAtOrDefault(3)));
            if (processors == 0 || lines.FirstOrDefault(line => line.StartsWith("procs_running ", StringComparison.Ordinal)) is not string line
                || Number(line.Split(' ')[1]) is not double number)
            {
                return null;
            }

            // The thread that reads this runs too.
            running[i] = Math.Max(0, number - 1);
            Thread.Sleep(Pause);
        }

        return new ProcessorUse(processors, (int)running.Order().ElementAt(Looks / 2));
    }

    private static IEnumerable<double> OfSystem(string root)
    {
        string? line = Lines(root, "proc/meminfo").FirstOrDefault(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        if (line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, string kilobytes, ..] && Number(kilobytes) is double available)
        {
            yield return available * 1024;
        }
    }

    /// <summary>What each group above this process leaves: its limit, less what it uses and could not give back.</summary>
    private static IEnumerable<double> OfGroups(string root)
    {
        foreach (string line in Lines(root, "proc/self/cgroup"))
        {
            // 0::/path of version 2, 4:memory:/path of version 1.
            string[] parts = line.Split(':', 3);
            (string Mount, string Limit, string Used, string Spare)? files = parts switch
            {
                ["0", "", _] => ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
                [_, string controllers, _] when controllers.Split(',').Contains("memory") =>
                    ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
                _ => null,
            };
            if (files is not var (mount, limitFile, usedFile, spare))
            {
                continue;
            }

            // A container may see its own group as the root, whatever the path says.
            for (string? path = parts[2].Trim('/'); path is not null; path = path.Length > 0 ? Path.GetDirectoryName(path) ?? "" : null)
            {
                string group = Path.Combine(mount, path);
                if (First(root, group, limitFile) is double limit && First(root, group, usedFile) is double used)
                {
                    double back = Lines(root, Path.Combine(group, "memory.stat")).Select(text => text.Split(' '))
                        .Where(pair => pair is [string name, _] && name == spare).Select(pair => Number(pair[1]) ?? 0).FirstOrDefault();
                    yield return limit - used + back;
                }
            }
        }
    }

    /// <summary>The number in a file; null where it has none, as where a group has no limit.</summary>
    private static double? First(string root, string group, string file) =>
        Lines(root, Path.Combine(group, file)).Select(Number).FirstOrDefault();

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;

    private static string[] Lines(string root, string file)
    {
        try
        {
            string path = Path.Combine(root, file);
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
