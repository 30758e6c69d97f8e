using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Torch;

/// <summary>
/// Where the bridge to libtorch lies. It belongs to one libtorch, so that packages carry its sources: it is built on the
/// machine where it is first used, into the user's cache.
/// </summary>
internal static class NativeBuild
{
    private const string FileName = "libespalier_native.so";

    /// <summary>The library; built first where there are only its sources.</summary>
    /// <exception cref="TorchException">There is neither, or it cannot be built.</exception>
    public static string Library()
    {
        string beside = Path.Combine(AppContext.BaseDirectory, FileName);
        string sources = Path.Combine(AppContext.BaseDirectory, "espalier-native");
        if (File.Exists(beside))
        {
            return beside;
        }

        if (!File.Exists(Path.Combine(sources, "build")))
        {
            throw new TorchException($"{beside} is missing: build Espalier again on this machine");
        }

        string cache = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create);
        string built = Path.Combine(cache.Length > 0 ? cache : Path.GetTempPath(), "espalier", Version(sources), FileName);
        if (!File.Exists(built))
        {
            Build(sources, built);
        }

        return built;
    }

    private static void Build(string sources, string library)
    {
        Console.Error.WriteLine($"espalier: building the bridge to libtorch, once, into {Path.GetDirectoryName(library)}; this takes a minute or two");
        DirectoryInfo work = Directory.CreateTempSubdirectory("espalier-native-");
        try
        {
            Run("sh", [Path.Combine(sources, "build"), work.FullName]);
            Directory.CreateDirectory(Path.GetDirectoryName(library)!);

            // Renamed when it is whole: another process may look for it meanwhile, or build it too.
            string whole = $"{library}.{Environment.ProcessId}";
            File.Copy(Path.Combine(work.FullName, FileName), whole, overwrite: true);
            File.Move(whole, library, overwrite: true);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static void Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string said = process.StandardOutput.ReadToEnd() + error.Result;
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                throw Failed(string.Join('\n', said.TrimEnd().Split('\n').TakeLast(12)));
            }
        }
        catch (Win32Exception e)
        {
            throw Failed(e.Message);
        }
    }

    private static TorchException Failed(string said) => new(
        $"the bridge to libtorch cannot be built:\n{said}\nHINT: it takes CMake, a C++ compiler and libtorch with its headers, on Debian: " +
        "sudo apt-get install libtorch-dev cmake make g++; or name a libtorch in ESPALIER_LIBTORCH");

    /// <summary>Other sources, or another libtorch that is named, make another library.</summary>
    private static string Version(string sources)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable("ESPALIER_LIBTORCH") ?? ""));
        foreach (string file in Directory.GetFiles(sources, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            hash.AppendData(File.ReadAllBytes(file));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8));
    }
}
