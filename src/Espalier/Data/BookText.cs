namespace Espalier.Data;

/// <summary>A text of <see cref="BooksCorpus"/>.</summary>
/// <param name="Name">Its file's name, without the ending.</param>
/// <param name="Content">Its words.</param>
/// <param name="IsHeldOut">That it is not trained on.</param>
internal sealed record BookText(string Name, string Content, bool IsHeldOut)
{
    /// <summary>The text, cut after paragraphs into pieces of about a size.</summary>
    public IEnumerable<string> Pieces(int size) => Pieces(Content, size);

    /// <summary>Cuts a text after paragraphs, into pieces of about a size.</summary>
    public static IEnumerable<string> Pieces(string text, int size)
    {
        for (int start = 0; start < text.Length;)
        {
            int cut = start + size < text.Length ? text.IndexOf("\n\n", start + size, StringComparison.Ordinal) : -1;
            int end = cut < 0 ? text.Length : cut + 2;
            yield return text[start..end];
            start = end;
        }
    }
}
