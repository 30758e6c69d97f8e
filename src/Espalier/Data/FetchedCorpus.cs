namespace Espalier.Data;

/// <summary>A corpus that is fetched once, appears when it is whole, and is known by the SHA-256 of its texts.</summary>
/// <param name="Noun">What its texts are called, in messages: "speeches".</param>
/// <param name="Count">How many there are.</param>
/// <param name="Sum">Of the texts: what <c>sha256sum *.txt | sha256sum</c> says in their folder.</param>
/// <param name="Fill">Puts the texts into the first folder, and what belongs to them, as licences, into the second, its parent.</param>
internal sealed record FetchedCorpus(
    string Noun, int Count, string Sum, Action<string, string, Action<DataProgress>?, CancellationToken> Fill)
{
    private const string TextFolder = "text";

    /// <summary>Fetches the corpus, unless it is there already.</summary>
    /// <returns>The folder of texts.</returns>
    /// <exception cref="UserErrorException">What was brought is not the corpus, or the folder holds something else.</exception>
    public string Fetch(string folder, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        if (Existing(folder) is string before)
        {
            return before;
        }

        try
        {
            using var folderLock = FolderLock.Wait(
                folder, () => progress?.Invoke(new DataProgress($"waiting for another process, which fetches {folder}", 0, 0)), cancellation);
            if (Existing(folder) is string fetched)
            {
                return fetched;
            }

            AtomicFolder.Write(folder, partial => FillAndCheck(partial, progress, cancellation), replace: false);
            return Path.Combine(folder, TextFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"The {Noun} cannot be put into {folder}: {e.Message}", inner: e);
        }
    }

    private void FillAndCheck(string folder, Action<DataProgress>? progress, CancellationToken cancellation)
    {
        string texts = Path.Combine(folder, TextFolder);
        Directory.CreateDirectory(texts);
        Fill(texts, folder, progress, cancellation);
        string actual = Sha256.Of(Sha256.List(Texts(texts)));
        if (actual != Sum)
        {
            throw new UserErrorException(
                $"What was fetched is not the corpus: the SHA-256 of its {Noun} is {actual}, not {Sum}.",
                "Ask another registry; npm's own is told by: npm config get registry");
        }
    }

    private string? Existing(string folder)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return null;
        }

        string texts = Path.Combine(folder, TextFolder);
        string[] found = Texts(texts);
        return Sha256.Of(Sha256.List(found)) == Sum ? texts : throw new UserErrorException(
            found.Length == Count ? $"{folder} holds {Count} {Noun} that are not as the corpus has them."
                : $"{folder} exists and holds {found.Length} of the {Count} {Noun}.",
            found.Length == 0 ? "Name another folder." : "Delete it, or name another folder.");
    }

    private static string[] Texts(string folder) => Directory.Exists(folder)
        ? [.. Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal)] : [];
}
