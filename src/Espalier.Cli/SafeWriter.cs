using System.Text;

namespace Espalier.Cli;

/// <summary>
/// A standard stream that cannot always be written: the terminal is gone, the disk that it is redirected to is full. What
/// goes to stderr is then lost, for the work matters more; a result that cannot be told is a mistake to be told.
/// </summary>
/// <param name="inner">Where the text goes.</param>
/// <param name="name">What the stream is called.</param>
/// <param name="mayBeLost">Whether the text may be lost without a word.</param>
internal sealed class SafeWriter(TextWriter inner, string name, bool mayBeLost) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Try(() => inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    public override void Write(string? value) => Try(() => inner.Write(value));

    public override void WriteLine(string? value) => Try(() => inner.WriteLine(value));

    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException) when (mayBeLost)
        {
        }
        catch (IOException exception)
        {
            throw new UserErrorException($"{name} cannot be written: {exception.Message}", inner: exception);
        }
    }
}
