//! Tokens to a tree. `== != =~ !~` bind tighter than `&&`, and that tighter than `||`; operators of one
//! strength group from the left.

use super::{Node, NodeKind, Operator, SyntaxError, lexer::Token, lexer::TokenKind};

pub(super) fn tree(tokens: &[Token], end: usize) -> Result<Node, SyntaxError> {
    if tokens.is_empty() {
        return Err(SyntaxError::new("the expression is empty", 0..end));
    }
    let mut parser = Parser { tokens, at: 0, end };
    let node = parser.operation(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(Token { kind: TokenKind::Close, range }) => {
            Err(SyntaxError::new("there is no `(` for this `)`", range.clone()))
        }
        Some(token) => Err(SyntaxError::new("an operator is missing before this", token.range.clone())
            .hint("join values with `==`, `!=`, `=~`, `!~`, `&&` or `||`")),
    }
}

impl Operator {
    /// How tightly it binds.
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equals | Self::NotEquals | Self::Matches | Self::NotMatches => 3,
        }
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    end: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    /// Values joined by operators that bind tighter than `weakest`.
    fn operation(&mut self, weakest: u8) -> Result<Node, SyntaxError> {
        let mut left = self.value()?;
        while let Some(Token { kind: TokenKind::Operator(operator), .. }) = self.peek() {
            if operator.strength() <= weakest {
                break;
            }
            self.at += 1;
            let right = self.operation(operator.strength())?;
            left = Node {
                range: left.range.start..right.range.end,
                kind: NodeKind::Operation {
                    operator: *operator,
                    left: Box::new(left),
                    right: Box::new(right),
                },
            };
        }
        Ok(left)
    }

    fn value(&mut self) -> Result<Node, SyntaxError> {
        let Some(token) = self.peek() else {
            return Err(SyntaxError::new("a value is missing at the end", self.end..self.end));
        };
        self.at += 1;
        let kind = match &token.kind {
            TokenKind::Open => return self.parenthesis(token),
            TokenKind::Close => {
                return Err(SyntaxError::new("a value is missing before this", token.range.clone()));
            }
            TokenKind::Operator(_) => {
                return Err(SyntaxError::new("a value is missing before this operator", token.range.clone()));
            }
            TokenKind::Input(name) => NodeKind::Input(name.clone()),
            TokenKind::Variable(name) => NodeKind::Variable(name.clone()),
            TokenKind::String(text) => NodeKind::String(text.clone()),
            TokenKind::Pattern(pattern) => NodeKind::Pattern(pattern.clone()),
            TokenKind::Null => NodeKind::Null,
            TokenKind::Bool(value) => NodeKind::Bool(*value),
        };
        Ok(Node { range: token.range.clone(), kind })
    }

    fn parenthesis(&mut self, open: &Token) -> Result<Node, SyntaxError> {
        let inner = self.operation(0)?;
        match self.peek() {
            Some(Token { kind: TokenKind::Close, range }) => {
                self.at += 1;
                Ok(Node { range: open.range.start..range.end, ..inner })
            }
            Some(token) => Err(SyntaxError::new("an operator is missing before this", token.range.clone())),
            None => Err(SyntaxError::new("there is no `)` for this `(`", open.range.clone())),
        }
    }
}
