using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier;

/// <summary>
/// Names of files and folders that are not whole yet: hidden, never given twice, and known again as Espalier's own. What a
/// killed process has left under such a name is cleared away where the next one is asked for; nothing else is ever touched.
/// </summary>
internal static partial class TemporaryName
{
    private static int s_given;

    /// <summary>A new name in a folder that exists or will be made.</summary>
    /// <exception cref="IOException">What a killed process left there cannot be deleted.</exception>
    public static string In(string folder)
    {
        ClearLeftovers(folder);
        return Path.Combine(folder, NameOf(Environment.MachineName, Environment.ProcessId, Interlocked.Increment(ref s_given)));
    }

    /// <summary>The name that a process of a machine gives.</summary>
    internal static string NameOf(string machine, int process, int number) =>
        string.Create(CultureInfo.InvariantCulture, $".espalier-{machine}-{process}-{number}.partial");

    /// <summary>A process of another machine, which may share the folder, cannot be asked whether it lives: its names stay.</summary>
    private static void ClearLeftovers(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        foreach (string path in Directory.EnumerateFileSystemEntries(folder, ".espalier-*.partial"))
        {
            Match match = Ours().Match(Path.GetFileName(path));
            if (match.Groups["machine"].Value == Environment.MachineName
                && int.TryParse(match.Groups["process"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int process)
                && !IsAlive(process))
            {
                Delete(path);
            }
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static void Delete(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception exception) when (exception is DirectoryNotFoundException or FileNotFoundException)
        {
            // Another process clears it away, too.
        }
    }

    [GeneratedRegex(@"^\.espalier-(?<machine>.+)-(?<process>\d+)-\d+\.partial$")]
    private static partial Regex Ours();
}
